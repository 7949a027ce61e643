/*
 * strangers: what the log says of unknown clients at a session's public port. They cause these
 * lines, as many and as often as they like, so that most go through a sieve, one cause for each
 * session and network.
 */
#ifndef PAMTUNNEL_VPS_SESSION_STRANGERS_H
#define PAMTUNNEL_VPS_SESSION_STRANGERS_H

#include "vps/admission/door.h"
#include "vps/session/terms.h"

/* Zero-initialised is ready for use. */
struct strangers {
    uint32_t told_s;   /* by clock_ms(), when the log heard of the crowd; 0: not yet */
    unsigned departed; /* that went without a question */
};

/* because: a clause, as "somebody else is in". */
void strangers_turned_away(const struct terms *terms, const struct addr *from, const char *because);
/* One has said nothing, and was dropped. */
void strangers_silent(const struct terms *terms, const struct addr *from);
/* One that was to wait is gone without a question. words: what it said of itself, or "". */
void strangers_departed(struct strangers *strangers, const struct terms *terms,
                        const struct addr *from, const char *words, enum departure departure);
/* There are too many to ask about them all: a line, now and then. */
void strangers_knocking(struct strangers *strangers, const struct terms *terms,
                        const struct door *door);
/* At the session's end: how many came. */
void strangers_sum_up(const struct strangers *strangers, const struct terms *terms,
                      const struct door *door);

#endif
