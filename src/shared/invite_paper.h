/* invite_paper: a join string in the hands of a person: what to do with it, and until when. */
#ifndef PAMTUNNEL_SHARED_INVITE_PAPER_H
#define PAMTUNNEL_SHARED_INVITE_PAPER_H

#include <stdint.h>

#include "base/why.h"

enum { INVITE_VALID_S = 24 * 3600 }; /* if nobody says how long */

/*
 * The command and the string on standard output, to be copied, and what to do with them on standard
 * error. until is Unix time, 0: it does not expire.
 */
void invite_print(const char *gateway, int64_t until, const char *string);
/* The value of --valid: "24h", "30m", "7d", or "0" for ever. 0 or -EINVAL with why. */
int invite_read_span(const char *text, int64_t *ret_seconds, struct why *why);

#endif
