/*
 * reach: from what the user asked for to addresses that may be dialled: where it is
 * (whereabouts.h), and a connection that proves that somebody answers there and is closed again at
 * once. None is made to a target that answered a moment ago (reachable.h).
 *
 * The same connection is used to look who that is (look/look.h), if that is wanted and was not
 * done today; and where somebody in particular has to answer, nobody else is let through.
 */
#ifndef PAMTUNNEL_GATEWAY_REACH_H
#define PAMTUNNEL_GATEWAY_REACH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/resolve.h"
#include "base/sieve.h"
#include "control/message.h"
#include "gateway/failure.h"
#include "gateway/look/sights.h"
#include "gateway/names/lan_search.h"
#include "gateway/reachable.h"
#include "gateway/targets.h"

struct reach;

struct reach_request {
    const char *host;
    uint16_t port;
    const struct targets *allowed;
    struct resolver *resolver;     /* for names */
    struct lan_searches *searches; /* for those that name servers do not know */
    struct reachable *reachable;   /* NULL: a probe is made in any case */
    bool probe;                    /* connect, and answer with the one address that took it */
    /* Only if `look`, or an identity is given: */
    struct sights *sights; /* takes what was seen */
    struct sieve *lines;   /* the log's, about it */
    unsigned kind;         /* enum tunnel_kind */
    bool look;             /* with `probe`: who it is */
    /* What the target has to show (sight.h), copied; NULL or zeros: anything. */
    const uint8_t *identity;
};

/*
 * The addresses (1 to RESOLVE_MAX, with the port) are all allowed. They are the ones to dial: no
 * second look-up, which could answer otherwise.
 */
struct reach_result {
    const struct addr *addrs;
    unsigned count;
    enum tunnel_found_by found_by;
    struct addr said_by; /* unless the name servers knew it */
    struct addr rival;   /* of no family: nobody else answered to the name */
};

/*
 * Either is NULL: the failure on success, else the result. Called once, from the loop; the reach
 * is gone afterwards.
 */
typedef void (*reach_fn)(void *arg, const struct failure *failure,
                         const struct reach_result *result);

/* NULL when out of memory. What the request points to must outlive it, except for host (copied). */
struct reach *reach_start(uv_loop_t *loop, const struct reach_request *request, reach_fn fn,
                          void *arg);
/* The callback will not run. Accepts NULL. */
void reach_cancel(struct reach *reach);

#endif
