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
 * fd is a connected socket, now the callee's and not tuned (net_tune()), and addr the address that
 * answered; or fd is the -errno of the most telling failure (-ETIMEDOUT when time ran out) and
 * addr is NULL. Called once, from the loop, never from inside dial_start(); the dial is gone by
 * then.
 */
typedef void (*dial_fn)(void *arg, int fd, const struct addr *addr);

/* See net_connect() and net_connect_multipath(). */
enum dial_how { DIAL_PLAIN, DIAL_NARROW, DIAL_MULTIPATH };

/* addrs is copied; count is 1 to RESOLVE_MAX. NULL: out of memory. */
struct dial *dial_start(uv_loop_t *loop, const struct addr *addrs, unsigned count,
                        uint64_t timeout_ms, enum dial_how how, dial_fn fn, void *arg);
/* The callback will not run; everything half-open is closed. Accepts NULL. */
void dial_cancel(struct dial *dial);

#endif
