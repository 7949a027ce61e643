/*
 * resolve: names to addresses through the system's resolver, in libuv's thread
 * pool. Addresses as text are answered without a look-up, but also later, from
 * the loop, never from inside resolve_start().
 */
#ifndef PAMTUNNEL_BASE_RESOLVE_H
#define PAMTUNNEL_BASE_RESOLVE_H

#include <stdint.h>
#include <uv.h>

#include "base/net.h"

enum { RESOLVE_MAX = 16 };

struct resolve;
/*
 * err is 0 with count > 0 addresses in the resolver's order (RFC 6724), or
 * -ENOENT for a name that does not exist, -EAGAIN for a resolver that does not
 * answer, or another negative errno value. Called once; the resolve is gone
 * afterwards.
 */
typedef void (*resolve_fn)(void *arg, int err, const struct addr *addrs, unsigned count);

/* NULL when out of memory. */
struct resolve *resolve_start(uv_loop_t *loop, const char *host, uint16_t port, resolve_fn fn,
                              void *arg);
/* The callback will not run. Accepts NULL. */
void resolve_cancel(struct resolve *resolve);

#endif
