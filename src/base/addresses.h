/*
 * addresses: reports when this machine loses or gains an address, as soon as the kernel says
 * so (rtnetlink(7)). A connection from an address that is gone is dead, and only this side can
 * know that at once.
 */
#ifndef PAMTUNNEL_BASE_ADDRESSES_H
#define PAMTUNNEL_BASE_ADDRESSES_H

#include <stdbool.h>
#include <uv.h>

#include "base/net.h"

struct addresses;

/* Called from the loop. They must not free the object that calls them. */
struct addresses_events {
    /* This machine does not have it any more. */
    void (*gone)(void *arg, const struct addr *addr);
    /* It has this one now; link-local addresses are not reported. May be NULL. */
    void (*come)(void *arg, const struct addr *addr);
    void *arg;
};

/* 0 or -errno; callers can go on without it, and then notice by their time-outs. */
int addresses_watch(uv_loop_t *loop, const struct addresses_events *events,
                    struct addresses **ret_addresses);
/* Accepts NULL. */
void addresses_free(struct addresses *addresses);

#endif
