/*
 * strangers: those who came to a session's public port and were not let in: how many of them, by
 * the reason, and what the log says of them. They cause these lines, as many and as often as they
 * like, so that most go through a sieve, one cause for each session and network.
 */
#ifndef PAMTUNNEL_VPS_SESSION_STRANGERS_H
#define PAMTUNNEL_VPS_SESSION_STRANGERS_H

#include "vps/admission/door.h"
#include "vps/session/terms.h"

enum stranger_reason {
    STRANGER_BLOCKED,   /* its party is kept out */
    STRANGER_TOO_LATE,  /* somebody else is in */
    STRANGER_TOO_MANY,  /* as many of that party are connected as may be */
    STRANGER_ELSEWHERE, /* it has the right secret, but another address than who is in */
    STRANGER_SILENT,    /* it said nothing */
    STRANGER_UNFIT,     /* it said something else than a client does, or left in the middle */
    STRANGER_NO_PLACE,  /* too many wait already */
    STRANGER_MADE_ROOM, /* for another one */
    STRANGER_SENT_OFF,  /* without a question: somebody else is in, or its party is blocked */
    STRANGER_UNASKED,   /* it left before the user was asked about it */
    STRANGER_REASONS,
};

/* For programs: a word that never changes its meaning, as "too_late". */
const char *stranger_word(enum stranger_reason reason);
/* For people: a clause, as "somebody else is in". */
const char *stranger_clause(enum stranger_reason reason);

/* Zero-initialised is ready for use. */
struct strangers {
    uint32_t told_s; /* by clock_ms(), when the log heard of the crowd; 0: not yet */
    uint32_t counts[STRANGER_REASONS];
};

/* One is turned away at the door. Whoever is worth a note is noted, and counted alone. */
void strangers_turned_away(struct strangers *strangers, const struct terms *terms,
                           const struct addr *from, enum stranger_reason reason);
void strangers_count(struct strangers *strangers, enum stranger_reason reason);
/* One has said nothing, and was dropped. */
void strangers_silent(struct strangers *strangers, const struct terms *terms,
                      const struct addr *from);
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
