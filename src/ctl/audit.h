/* audit: what pamctl does about the audit beyond one question and one answer. */
#ifndef PAMTUNNEL_CTL_AUDIT_H
#define PAMTUNNEL_CTL_AUDIT_H

#include "ctl/invocation.h"

/*
 * Prints the records, page after page as vps-agent sends them, and with --follow those that come.
 * Returns the last answer of vps-agent's, or a failure (ask.h): a new reference.
 */
json_t *audit_print(const struct invocation *invocation, const char *socket_path);

#endif
