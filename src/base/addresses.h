/*
 * addresses: tells when an address of this machine goes or comes, as soon as the kernel
 * says so. A connection from an address that is gone is dead, and only its own side can
 * know that at once.
 */
#ifndef PAMTUNNEL_BASE_ADDRESSES_H
#define PAMTUNNEL_BASE_ADDRESSES_H

#include <stdbool.h>
#include <uv.h>

#include "base/net.h"

struct addresses;

/* Called from the loop. Not to free it from. */
struct addresses_events {
    /* This machine does not have it any more. */
    void (*gone)(void *arg, const struct addr *addr);
    /* It has this one now; link-local ones are not told. May be NULL. */
    void (*come)(void *arg, const struct addr *addr);
    void *arg;
};

/* 0 or -errno: without it there are only time-outs. */
int addresses_watch(uv_loop_t *loop, const struct addresses_events *events,
                    struct addresses **ret_addresses);
/* Accepts NULL. */
void addresses_free(struct addresses *addresses);

#endif
