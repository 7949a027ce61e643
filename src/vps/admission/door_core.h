/*
 * door_core: what the files of the door (door*.c) share.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_DOOR_CORE_H
#define PAMTUNNEL_VPS_ADMISSION_DOOR_CORE_H

#include "base/list.h"
#include "base/listener.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/admission/door.h"
#include "vps/admission/greeting.h"
#include "vps/admission/latch.h"
#include "vps/admission/places.h"

_Static_assert((int)GREETING_MAX <= (int)HTTPS_AHEAD_MAX, "what was read of a greeting fits");

/* A client that has not said yet what it is. */
struct visitor {
    struct list home; /* in the door's list */
    struct door *door;
    int fd;
    struct addr from;
    struct place place;
    struct watch *watch; /* both NULL until it turns out that it has to be waited for */
    struct timer *patience;
    bool expected;
    bool is_idle; /* a browser's, which it may use yet */
    size_t have;
    uint8_t bytes[GREETING_MAX];
};

struct door {
    struct listener *listener;
    const struct kind_row *kind;
    const char *secret; /* "" if the kind has none */
    struct door_total *total;
    const struct door_events *events;
    void *arg;
    struct list visitors; /* the oldest one first */
    struct lobby *lobby;  /* NULL: no stranger came yet */
    struct latch *latch;
};

/* Takes the visitor out of the door's list; what it holds is not touched. */
void door_unlink_visitor(struct visitor *visitor);
/* It is in no list any more. */
void door_free_visitor(struct visitor *visitor);

/* ---- the page: door_page.c --------------------------------------------------- */

extern const struct latch_events DOOR_LATCH_EVENTS;
/* What a visitor has come for. */
enum errand { ERRAND_TARGET, ERRAND_PAGE, ERRAND_TLS };

/* It has asked for it, or begun TLS: it is the latch's, which may free the door in here. */
void door_show_page(struct visitor *visitor, enum errand errand);
/* It says nothing, and goes with a page that was just asked for, or has been since it came. */
bool door_is_beside_page(const struct visitor *visitor);
/* See lobby_events. arg is the door. */
void door_on_parked_spoke(void *arg, unsigned number, int fd, bool asked);

#endif
