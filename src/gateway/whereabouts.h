/*
 * whereabouts: from what the user asked for to the addresses that may be dialled: whether the list
 * of allowed targets could have it at all, the look-up at the name servers, the LAN where they do
 * not know the name or take their time, and what the list says to the addresses.
 */
#ifndef PAMTUNNEL_GATEWAY_WHEREABOUTS_H
#define PAMTUNNEL_GATEWAY_WHEREABOUTS_H

#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/resolve.h"
#include "control/message.h"
#include "gateway/failure.h"
#include "gateway/names/lan_search.h"
#include "gateway/targets.h"

enum {
    WHEREABOUTS_LOOK_UP_MS = 5000,    /* for name servers */
    WHEREABOUTS_HEAD_START_MS = 1000, /* of theirs, before the LAN is asked beside them */
};

struct whereabouts;

struct whereabouts_request {
    const char *host;
    uint16_t port;
    const struct targets *allowed;
    struct resolver *resolver;
    struct lan_searches *searches;
};

/* The addresses (1 to RESOLVE_MAX, with the port) are all allowed. */
struct whereabouts_found {
    const struct addr *addrs;
    unsigned count;
    enum tunnel_found_by found_by;
    struct addr said_by; /* unless the name servers knew it */
    struct addr rival;   /* who said something else, in the same breath; of no family: nobody did */
};

/*
 * Either is NULL: the failure on success, else what was found. Called once, from the loop, and
 * never from inside whereabouts_start(); it is gone afterwards.
 */
typedef void (*whereabouts_fn)(void *arg, const struct failure *failure,
                               const struct whereabouts_found *found);

/* NULL when out of memory. What the request points to must outlive it, except for host (copied). */
struct whereabouts *whereabouts_start(uv_loop_t *loop, const struct whereabouts_request *request,
                                      whereabouts_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void whereabouts_cancel(struct whereabouts *whereabouts);

/* What to say of a target that the list has not; addr: what it was found to be, or NULL. */
struct failure whereabouts_not_allowed(const char *host, uint16_t port, const struct addr *addr);
/* Those that the list has, of this host; at most RESOLVE_MAX. Returns how many. */
unsigned whereabouts_keep_allowed(const struct targets *allowed, const char *host,
                                  const struct addr *addrs, unsigned count, struct addr *ret_kept);

#endif
