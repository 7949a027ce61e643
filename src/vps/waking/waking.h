/*
 * waking: one person's wish that a machine that sleeps should wake, and what comes of it.
 *
 *     offered -> asleep -> awake, or silent
 *
 * A session that failed since its machine seems to sleep leads to an offer, or at once to asleep; a
 * wish for its own sake begins there. From both it may come to an end before that: somebody ends
 * it, or it expires.
 *
 * This header is what others see of one. The table that makes and moves them is wakings.h.
 */
#ifndef PAMTUNNEL_VPS_WAKING_WAKING_H
#define PAMTUNNEL_VPS_WAKING_WAKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mac.h"
#include "vps/session/request.h"

enum waking_state {
    WAKING_OFFERED,
    WAKING_ASLEEP,  /* its gateway wakes it */
    WAKING_AWAKE,   /* it answers; a session follows, if one was asked for, or a `reason` why not */
    WAKING_SILENT,  /* it does not */
    WAKING_ENDED,   /* by who wanted it, or for a `reason` */
    WAKING_EXPIRED, /* nobody took the offer */
};

/* What its gateway said last of a machine that is silent. */
enum waking_silence {
    WAKING_NO_ANSWER,
    WAKING_REFUSES, /* it is awake, and nothing listens at that port */
    WAKING_NOT_ALLOWED,
    WAKING_BUSY, /* the gateway wakes too many */
};

/* What there is to see of it. Pointers live as long as it does. */
struct waking_view {
    const char
        *id; /* of the session, too, that it becomes: a name, which guards nothing by itself */
    enum waking_state state;
    const struct session_request *request; /* resolved; with its gateway */
    bool opens;                            /* a session is to follow: `request` is for that */
    uint8_t mac[MAC_SIZE];
    unsigned seconds;            /* since its gateway wakes it */
    enum waking_silence silence; /* of WAKING_SILENT */
    const char *reason;          /* a sentence for who asked; "": the state says it all */
};

struct waking;

void waking_view(const struct waking *waking, struct waking_view *ret_view);
/* "asleep" */
const char *waking_state_name(enum waking_state state);
bool waking_state_is_end(enum waking_state state);

#endif
