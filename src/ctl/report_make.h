/* report_make: pamctl report, from the question to the file. */
#ifndef PAMTUNNEL_CTL_REPORT_MAKE_H
#define PAMTUNNEL_CTL_REPORT_MAKE_H

#include "ctl/invocation.h"

/*
 * Writes the report of what --since and --until say, of the last 30 days if they say nothing.
 * Returns {"ok":true,"file":…,"records":…}, or a failure (ask.h): a new reference.
 */
json_t *report_make(const struct invocation *invocation, const char *socket_path);

#endif
