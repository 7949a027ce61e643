/* audit: what pamctl does about the audit beyond one question and one answer. */
#ifndef PAMTUNNEL_CTL_AUDIT_H
#define PAMTUNNEL_CTL_AUDIT_H

#include "ctl/invocation.h"

/*
 * The question that the options ask, by who, where and when, for audit_pages(). A new reference;
 * NULL with a failure (ask.h) in *ret_failure if they make no sense.
 */
json_t *audit_question(const struct invocation *invocation, json_t **ret_failure);
/*
 * Reads page after page (pages.h), and calls fn with each record, which is a flat one
 * (record.h). Returns the last answer, a new reference.
 */
typedef void (*audit_record_fn)(void *arg, const json_t *record);
json_t *audit_pages(const char *socket_path, json_t *request, audit_record_fn fn, void *arg);

/*
 * Prints the records, page after page as vps-agent sends them, and with --follow those that come.
 * Returns the last answer of vps-agent's, or a failure (ask.h): a new reference.
 */
json_t *audit_print(const struct invocation *invocation, const char *socket_path);

#endif
