/*
 * whereabouts -> probe, and out at whichever of them says no. The list is asked once more after the
 * probe, since it may be another one by then.
 *
 * It ends itself, once, before it calls back (reach_finish()), and never from inside reach_start():
 * even what is refused at once is refused in the next turn of the loop, so that whoever starts it
 * has it in hand when it ends.
 */
#include "gateway/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "gateway/demand.h"
#include "gateway/probe.h"
#include "gateway/whereabouts.h"

struct reach {
    uv_loop_t *loop;
    reach_fn fn;
    void *arg;
    const struct targets *allowed;
    struct reachable *reachable;
    char host[HOST_MAX + 1];
    uint16_t port;
    bool probe;
    enum tunnel_found_by found_by;
    struct addr said_by, rival;
    struct whereabouts *whereabouts;
    struct probe *probing;
    struct demand demand;
    struct sieve *lines;
};

static void reach_free(struct reach *reach)
{
    whereabouts_cancel(reach->whereabouts);
    probe_cancel(reach->probing);
    free(reach);
}

static void reach_finish(struct reach *reach, const struct failure *failure,
                         const struct addr *addrs, unsigned count)
{
    reach_fn fn = reach->fn;
    void *arg = reach->arg;
    struct reach_result result = {.addrs = addrs,
                                  .count = count,
                                  .found_by = reach->found_by,
                                  .said_by = reach->said_by,
                                  .rival = reach->rival};
    reach_free(reach);
    fn(arg, failure, failure ? NULL : &result);
}

static void reach_fail(struct reach *reach, int err)
{
    char what[TARGET_TEXT_MAX];
    struct failure failure;
    target_format(reach->host, reach->port, what);
    failure = failure_of_target(err, what);
    reach_finish(reach, &failure, NULL, 0);
}

/* ---- whether it answers ---------------------------------------------------- */

/* A probe may take a while: the list may be another one by now. */
static void reach_probed(void *arg, const struct failure *failure, const struct addr *addr)
{
    struct reach *reach = arg;
    struct addr answered;
    reach->probing = NULL;
    if (addr && reach->reachable) {
        reachable_note(reach->reachable, addr);
    }
    if (failure) {
        reach_finish(reach, failure, NULL, 0);
        return;
    }
    if (whereabouts_keep_allowed(reach->allowed, reach->host, addr, 1, &answered) == 0) {
        struct failure not_allowed = whereabouts_not_allowed(reach->host, reach->port, addr);
        reach_finish(reach, &not_allowed, NULL, 0);
    } else {
        reach_finish(reach, NULL, &answered, 1);
    }
}

/* One that answered a moment ago, and need not be looked at, NULL: none did. */
static const struct addr *find_answered(const struct reach *reach, const struct addr *addrs,
                                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (reachable_lately(reach->reachable, &addrs[i]) &&
            !demand_wants_look(&reach->demand, &addrs[i])) {
            return &addrs[i];
        }
    }
    return NULL;
}

static void reach_probe(struct reach *reach, const struct addr *addrs, unsigned count)
{
    const struct addr *answered = reach->reachable ? find_answered(reach, addrs, count) : NULL;
    if (answered) {
        struct failure failure;
        bool allowed = demand_allows(&reach->demand, answered, reach->host, &failure);
        reach_finish(reach, allowed ? NULL : &failure, answered, 1);
        return;
    }
    const struct probe_request request = {.addrs = addrs,
                                          .count = count,
                                          .host = reach->host,
                                          .port = reach->port,
                                          .demand = reach->demand,
                                          .lines = reach->lines};
    reach->probing = probe_start(reach->loop, &request, reach_probed, reach);
    if (!reach->probing) {
        reach_fail(reach, -ENOMEM);
    }
}

/* One of them is dialled: with an identity, only where it was seen, or will be in a moment. */
static void reach_choose(struct reach *reach, struct addr *addrs, unsigned count)
{
    unsigned known = demand_sort(&reach->demand, addrs, count);
    if (reach->probe || known == 0) {
        reach_probe(reach, addrs, known > 0 ? known : count);
    } else {
        reach_finish(reach, NULL, addrs, known);
    }
}

static void reach_found(void *arg, const struct failure *failure,
                        const struct whereabouts_found *found)
{
    struct reach *reach = arg;
    struct addr addrs[RESOLVE_MAX];
    reach->whereabouts = NULL;
    if (failure) {
        reach_finish(reach, failure, NULL, 0);
        return;
    }
    reach->found_by = found->found_by;
    reach->said_by = found->said_by;
    reach->rival = found->rival;
    memcpy(addrs, found->addrs, found->count * sizeof *addrs);
    reach_choose(reach, addrs, found->count);
}

struct reach *reach_start(uv_loop_t *loop, const struct reach_request *request, reach_fn fn,
                          void *arg)
{
    struct reach *reach = calloc(1, sizeof *reach);
    if (!reach) {
        return NULL;
    }
    reach->loop = loop;
    reach->fn = fn;
    reach->arg = arg;
    reach->allowed = request->allowed;
    reach->reachable = request->reachable;
    reach->port = request->port;
    reach->probe = request->probe;
    snprintf(reach->host, sizeof reach->host, "%s", request->host);
    reach->demand = demand_make(request->kind, request->look, request->identity, request->sights);
    reach->lines = request->lines;
    const struct whereabouts_request name = {.host = request->host,
                                             .port = request->port,
                                             .allowed = request->allowed,
                                             .resolver = request->resolver,
                                             .searches = request->searches};
    reach->whereabouts = whereabouts_start(loop, &name, reach_found, reach);
    if (!reach->whereabouts) {
        reach_free(reach);
        return NULL;
    }
    return reach;
}

void reach_cancel(struct reach *reach)
{
    if (reach) {
        reach_free(reach);
    }
}
