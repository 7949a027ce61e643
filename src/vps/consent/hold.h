/*
 * hold: a request for a session that is on hold until the consents are there that its rule asks
 * for.
 *
 *     asking_factor -> asking_approval -> ready -> granted
 *
 * Whatever is not asked for, or there already, is left out, and from each of the first three it may
 * come to denied, expired, withdrawn or refused. The second factor comes first: it is the asker's
 * own, and nobody is asked about somebody who has not got it.
 *
 * This header is what others see of one. The table that makes and moves them is holds.h.
 */
#ifndef PAMTUNNEL_VPS_CONSENT_HOLD_H
#define PAMTUNNEL_VPS_CONSENT_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/grant/owner.h"
#include "vps/session/request.h"

enum hold_state {
    HOLD_ASKING_FACTOR,   /* who asks is to give the second factor */
    HOLD_ASKING_APPROVAL, /* others are to agree */
    HOLD_READY,           /* they have; it waits for its gateway, which is away */
    HOLD_GRANTED,         /* the session is opened */
    HOLD_DENIED,          /* somebody said no */
    HOLD_EXPIRED,
    HOLD_WITHDRAWN, /* by who asked, or since it cannot come to anything any more */
    HOLD_REFUSED,   /* it may not be opened any more, or could not: `reason`, for who asked */
};

/* What there is to see of it. Pointers live as long as it does. */
struct hold_view {
    const char
        *id; /* of the session, too, that it becomes: a name, which guards nothing by itself */
    enum hold_state state;
    const struct session_request *request; /* resolved: what is going to be opened */
    const char *said;                      /* the host as it was typed */
    int64_t asked_unix;
    unsigned seconds_left;
    unsigned approvals; /* how many were given; `needed` is in the request */
    const struct owner *approved_by;
    const struct owner *by; /* who ended it; NULL: nobody did, or it goes on */
    const char *reason;     /* of the end, a sentence; "": the state says it all */
};

struct hold;

void hold_view(const struct hold *hold, struct hold_view *ret_view);
/* "asking_approval" */
const char *hold_state_name(enum hold_state state);
/* It is over, one way or the other. */
bool hold_state_is_end(enum hold_state state);

#endif
