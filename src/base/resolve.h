/*
 * resolve: names to addresses through the system's resolver, each in a thread of its own
 * and within a time of its own, so that a name server that does not answer holds up
 * only those who asked it. Addresses as text are answered without a look-up, but also
 * later, from the loop, never from inside resolve_start().
 */
#ifndef PAMTUNNEL_BASE_RESOLVE_H
#define PAMTUNNEL_BASE_RESOLVE_H

#include <stdint.h>
#include <uv.h>

#include "base/net.h"

enum { RESOLVE_MAX = 16, RESOLVE_NAME_SIZE = 81 };

/* Those who share it have `most` look-ups at once; an abandoned one counts until it ends. */
struct resolver;
/* NULL when out of memory. */
struct resolver *resolver_new(uv_loop_t *loop, unsigned most);
/* Accepts NULL. No resolve_start() afterwards; look-ups under way are not affected. */
void resolver_free(struct resolver *resolver);

struct resolve;
/*
 * err is 0 with count > 0 addresses in the resolver's order (RFC 6724), or
 * -ENOENT for a name that does not exist, -EAGAIN for name servers that did not
 * answer (in time), -EBUSY if too many look-ups wait for them already, or another
 * negative errno value. Called once; the resolve is gone afterwards.
 */
typedef void (*resolve_fn)(void *arg, int err, const struct addr *addrs, unsigned count);

/* NULL when out of memory. */
struct resolve *resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                              uint64_t timeout_ms, resolve_fn fn, void *arg);
/*
 * The other way round. Whoever owns an address can write any name into its reverse zone, and see
 * to it that the answer takes long: so it has to be a name by its form (HOST_NAME, shorter than
 * RESOLVE_NAME_SIZE), and one whose own addresses include this one. NULL: there is none, or not
 * in time, or the resolver is busy. Called once; the resolve is gone afterwards.
 */
typedef void (*resolve_name_fn)(void *arg, const char *name);

/* Addresses that the world has no names for are not looked up. NULL when out of memory. */
struct resolve *resolve_name_start(struct resolver *resolver, const struct addr *addr,
                                   uint64_t timeout_ms, resolve_name_fn fn, void *arg);

/* Of either kind: the callback will not run. Accepts NULL. */
void resolve_cancel(struct resolve *resolve);

#endif
