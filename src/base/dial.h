/*
 * dial: a TCP connection to the first of several addresses that answers. The
 * next address is tried when one fails or is silent for 250 ms (RFC 8305), so
 * that a broken address family costs a blink and not a time-out.
 */
#ifndef PAMTUNNEL_BASE_DIAL_H
#define PAMTUNNEL_BASE_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"

struct dial;
/*
 * fd is a connected socket, now the callee's and not tuned, and `addr` the
 * address that answered; or fd is -errno of the failure that says
 * most (-ETIMEDOUT when the time ran out) and addr is NULL. Called once, from
 * the loop; the dial is gone afterwards.
 */
typedef void (*dial_fn)(void *arg, int fd, const struct addr *addr);

/* NULL when out of memory. count is at most RESOLVE_MAX, at least 1. narrow: net_connect(). */
struct dial *dial_start(uv_loop_t *loop, const struct addr *addrs, unsigned count,
                        uint64_t timeout_ms, bool narrow, dial_fn fn, void *arg);
/* The callback will not run; everything half-open is closed. Accepts NULL. */
void dial_cancel(struct dial *dial);

#endif
