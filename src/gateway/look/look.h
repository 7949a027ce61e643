/*
 * look: finds out who answers at the other end of a fresh connection: what it shows of itself
 * before anybody logs in (sight.h). How that is done depends on the kind of session.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_LOOK_H
#define PAMTUNNEL_GATEWAY_LOOK_LOOK_H

#include <stdbool.h>
#include <uv.h>

#include "base/why.h"
#include "gateway/look/sight.h"
#include "shared/kind.h"

enum {
    LOOK_MS = 5000,
    LOOK_PARTING_MS = 300, /* at the end: for the target to end the connection, too */
};

struct look;
/*
 * What it shows; or sight is NULL, and `why` a clause about the target. Called once, from the loop,
 * never from inside look_start(); the look is gone by then, and the connection closed.
 */
typedef void (*look_fn)(void *arg, const struct sight *sight, const struct why *why);

/* Targets of this kind show anything. */
bool look_is_possible(enum kind kind);
/*
 * Takes over the connection, also on failure. wanted: the type of host key that is to be seen, if
 * there are several; 0: the best one (host_key.h). NULL when out of memory.
 */
struct look *look_start(uv_loop_t *loop, int fd, enum kind kind, unsigned wanted, look_fn fn,
                        void *arg);
/* The callback will not run. Accepts NULL. */
void look_cancel(struct look *look);

#endif
