/*
 * whereabouts -> probe, and out at whichever of them says no. The list is asked once more after the
 * probe, since it may be another one by then.
 *
 * Who has to be somebody (`identity`) is known by what was seen at an address within a day, or else
 * by a look. One that shows nothing is refused then: if it were let through, whoever wants to pass
 * for the target would only have to be silent while it is looked at.
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
#include <unistd.h>

#include "base/dial.h"
#include "base/host.h"
#include "gateway/demand.h"
#include "gateway/look/look.h"
#include "gateway/whereabouts.h"

enum { PROBE_MS = 5000 };

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
    struct dial *dial;
    struct addr answered; /* while it is looked at */
    struct look *look;
    struct demand demand;
    struct sieve *lines;
};

static void reach_free(struct reach *reach)
{
    whereabouts_cancel(reach->whereabouts);
    dial_cancel(reach->dial);
    look_cancel(reach->look);
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

/* ---- who it is ------------------------------------------------------------- */

static void reach_succeed(struct reach *reach)
{
    struct addr answered = reach->answered;
    reach_finish(reach, NULL, &answered, 1);
}

static void reach_fail_demand(struct reach *reach, const struct sight *sight, const struct why *why)
{
    struct failure failure = demand_failure(&reach->demand, reach->host, sight, why);
    reach_finish(reach, &failure, NULL, 0);
}

static void log_look(const struct reach *reach, const struct sight *sight, const struct why *why)
{
    char target[TARGET_TEXT_MAX], address[ADDR_TEXT_MAX], shown[SIGHT_TEXT_MAX];
    target_format(reach->host, reach->port, target);
    addr_text(&reach->answered, address);
    if (sight) {
        sieve_log(reach->lines, "looks at targets", LOG_INFO, "target %s (%s) shows %s %s", target,
                  address, kind_row(demand_kind(&reach->demand))->label,
                  sight_text(sight->identity, shown));
    } else {
        sieve_log(reach->lines, "looks at targets", LOG_WARN,
                  "target %s (%s) shows nothing to know it by: %s", target, address, why->text);
    }
}

static void reach_looked(void *arg, const struct sight *sight, const struct why *why)
{
    struct reach *reach = arg;
    reach->look = NULL;
    log_look(reach, sight, why);
    demand_note(&reach->demand, &reach->answered, sight);
    /* Who wants to know is told, and judges: a certificate may have been renewed. */
    if (demand_is_met(&reach->demand, &reach->answered) || (sight && reach->demand.look)) {
        reach_succeed(reach);
    } else {
        reach_fail_demand(reach, sight, why);
    }
}

/* Takes over the connection. */
static void reach_look(struct reach *reach, int fd)
{
    if (!demand_can_look(&reach->demand)) {
        struct why why;
        close(fd);
        why_set(&why, -EPROTONOSUPPORT, "sessions of this kind have nothing to know it by");
        reach_fail_demand(reach, NULL, &why);
        return;
    }
    reach->look = look_start(reach->loop, fd, demand_kind(&reach->demand), reach_looked, reach);
    if (!reach->look) {
        reach_fail(reach, -ENOMEM);
    }
}

/* ---- whether it answers ---------------------------------------------------- */

/* A probe may take a while: the list may be another one by now. */
static void reach_probed(void *arg, int fd, const struct addr *addr)
{
    struct reach *reach = arg;
    reach->dial = NULL;
    if (fd < 0) {
        reach_fail(reach, fd);
        return;
    }
    if (reach->reachable) {
        reachable_note(reach->reachable, addr);
    }
    if (whereabouts_keep_allowed(reach->allowed, reach->host, addr, 1, &reach->answered) == 0) {
        struct failure failure = whereabouts_not_allowed(reach->host, reach->port, addr);
        close(fd);
        reach_finish(reach, &failure, NULL, 0);
    } else if (demand_wants_look(&reach->demand, addr)) {
        reach_look(reach, fd);
    } else {
        /* Closed, not kept for the session: an idle login would time out before its user comes. */
        close(fd);
        reach_succeed(reach);
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
        reach_finish(reach, NULL, answered, 1);
        return;
    }
    reach->dial = dial_start(reach->loop, addrs, count, PROBE_MS, DIAL_PLAIN, reach_probed, reach);
    if (!reach->dial) {
        reach_fail(reach, -ENOMEM);
    }
}

/* Moves those to the front that are known to be the one; how many that are. */
static unsigned sort_known(const struct reach *reach, struct addr *addrs, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (demand_is_met(&reach->demand, &addrs[i])) {
            struct addr known = addrs[i];
            addrs[i] = addrs[n];
            addrs[n++] = known;
        }
    }
    return n;
}

/* One of them is dialled: with an identity, only where it was seen, or will be in a moment. */
static void reach_choose(struct reach *reach, struct addr *addrs, unsigned count)
{
    unsigned known = sort_known(reach, addrs, count);
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
