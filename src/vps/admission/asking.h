/*
 * asking: about whom a session's user is asked next, and when. Pure functions over
 * the latest questions, like judge.h.
 *
 * Questions have rates that refill, for the session and for each network, so that
 * strangers can delay a question about the user but never use the questions up. Next
 * is the waiting client whose provider, network and party have the least, counting questions
 * asked and clients that wait: a client from elsewhere does not queue behind a crowd.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_ASKING_H
#define PAMTUNNEL_VPS_ADMISSION_ASKING_H

#include <stdbool.h>

#include "base/origin.h"

enum {
    ASKING_STAY_MS = 1000, /* clients that are gone again by then are not asked about */
    ASKING_MEMORY = 128,   /* more than the rates allow in an hour */
};

/* The latest questions, the oldest first. Zero-initialised is ready for use. */
struct asking {
    unsigned count;
    struct {
        struct origin about;
        uint64_t at_ms;
    } asked[ASKING_MEMORY];
};

struct candidate {
    struct origin from;
    uint64_t since_ms; /* when it began to wait */
};

/*
 * The index of the candidate to ask about now, or -EAGAIN: then it is time to look again in
 * *ret_wait_ms, or with the next newcomer if that is UINT64_MAX. at_once: the user wants to
 * see them, and the rates do not count.
 */
int asking_next(const struct asking *asking, const struct candidate *candidates, unsigned count,
                uint64_t now_ms, bool at_once, uint64_t *ret_wait_ms);
/* The user was asked. */
void asking_note(struct asking *asking, const struct origin *about, uint64_t now_ms);

#endif
