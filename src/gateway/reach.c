/*
 * look-up (-> search in the LAN) -> list -> probe, and out at whichever of them says no. The list
 * is asked twice: whether it could have such a target at all, before a name is looked up, and
 * whether it has the addresses that came of it; and once more after the probe, since it may be
 * another list by then.
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

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dial.h"
#include "base/host.h"
#include "base/resolve.h"
#include "base/text.h"
#include "base/timer.h"
#include "control/message.h"
#include "gateway/demand.h"
#include "gateway/look/look.h"

static_assert((int)TUNNEL_FOUND_BY_MDNS == (int)LAN_MDNS &&
                  (int)TUNNEL_FOUND_BY_LLMNR == (int)LAN_LLMNR &&
                  (int)TUNNEL_FOUND_BY_NETBIOS == (int)LAN_NETBIOS,
              "the wire's numbers are those of the protocols");

enum {
    RESOLVE_MS = 5000,
    PROBE_MS = 5000,
};

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
    struct addr said_by;
    int unresolved; /* what the look-up came to, while the LAN is asked */
    struct lan_searches *searches;
    struct resolve *resolve;
    struct lan_search *search;
    struct timer *refuse; /* in the next turn: what needs no look-up to be refused */
    struct dial *dial;
    struct addr answered; /* while it is looked at */
    struct look *look;
    struct demand demand;
    struct sieve *lines;
};

static void reach_free(struct reach *reach)
{
    resolve_cancel(reach->resolve);
    lan_search_cancel(reach->search);
    timer_free(reach->refuse);
    dial_cancel(reach->dial);
    look_cancel(reach->look);
    free(reach);
}

static void reach_finish(struct reach *reach, const struct failure *failure,
                         const struct addr *addrs, unsigned count)
{
    reach_fn fn = reach->fn;
    void *arg = reach->arg;
    struct reach_result result = {
        .addrs = addrs, .count = count, .found_by = reach->found_by, .said_by = reach->said_by};
    reach_free(reach);
    fn(arg, failure, failure ? NULL : &result);
}

static void reach_fail(struct reach *reach, int err)
{
    char what[TARGET_TEXT_MAX];
    struct failure failure;
    target_format(reach->host, reach->port, what);
    /* Of a name that leads nowhere, the port does not matter. */
    bool name = err == -ENOENT || err == -EAGAIN || err == -EBUSY;
    failure = failure_of_target(err, name ? reach->host : what);
    reach_finish(reach, &failure, NULL, 0);
}

/*
 * What the name resolved to stays here: it is nobody's business outside the LAN. addr is
 * NULL if it was not looked up.
 */
static void reach_refuse(struct reach *reach, const struct addr *addr)
{
    char what[TARGET_TEXT_MAX];
    char address[ADDR_TEXT_MAX];
    struct failure failure;
    struct text note;
    target_format(reach->host, reach->port, what);
    failure = failure_make(TUNNEL_NOT_ALLOWED,
                           "%.100s is not among the ALLOWED_TARGETS of this gateway", what);
    note = text_over(failure.note, sizeof failure.note);
    if (addr) {
        text_add(&note, "ALLOWED_TARGETS has neither the name nor %s", addr_text(addr, address));
    } else {
        text_add(&note, "ALLOWED_TARGETS has neither the name nor a network with port %u",
                 reach->port);
    }
    reach_finish(reach, &failure, NULL, 0);
}

static unsigned keep_allowed(const struct reach *reach, const struct addr *addrs, unsigned count,
                             struct addr *kept)
{
    bool all = targets_allow_name(reach->allowed, reach->host, reach->port);
    unsigned n = 0;
    for (unsigned i = 0; i < count && n < RESOLVE_MAX; i++) {
        if (all || targets_allow_addr(reach->allowed, &addrs[i])) {
            kept[n++] = addrs[i];
        }
    }
    return n;
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
    if (keep_allowed(reach, addr, 1, &reach->answered) == 0) {
        close(fd);
        reach_refuse(reach, addr);
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

static void reach_found(struct reach *reach, const struct addr *addrs, unsigned count)
{
    struct addr kept[RESOLVE_MAX];
    unsigned n = keep_allowed(reach, addrs, count, kept);
    if (n == 0) {
        reach_refuse(reach, &addrs[0]);
    } else {
        reach_choose(reach, kept, n);
    }
}

/* Neither name servers nor the LAN. */
static void reach_fail_unknown(struct reach *reach)
{
    struct failure failure = failure_make(
        TUNNEL_UNKNOWN_NAME,
        "%.100s is not known to the gateway's name servers, and no machine in its network answers "
        "to it",
        reach->host);
    reach_finish(reach, &failure, NULL, 0);
}

static void reach_fail_busy(struct reach *reach)
{
    struct failure failure = failure_make(
        TUNNEL_ERROR, "it asks its network for too many other names already: try again");
    reach_finish(reach, &failure, NULL, 0);
}

static void reach_searched(void *arg, int err, const struct lan_found *found)
{
    struct reach *reach = arg;
    reach->search = NULL;
    if (err == -EBUSY) {
        reach_fail_busy(reach);
    } else if (err == -ENOENT && reach->unresolved == -ENOENT) {
        reach_fail_unknown(reach);
    } else if (err < 0) {
        reach_fail(reach, reach->unresolved);
    } else {
        reach->found_by = (enum tunnel_found_by)found->by;
        reach->said_by = found->said_by;
        reach_found(reach, found->addrs, found->count);
    }
}

/*
 * What name servers said no to, or nothing, the LAN may know. All that comes of it is in a network
 * that this machine is in, so that a name on the list allows nothing beyond.
 */
static void reach_search(struct reach *reach, int err)
{
    bool may_help = err == -ENOENT || err == -EAGAIN;
    if (!may_help || !lan_question_is_for(reach->host)) {
        reach_fail(reach, err);
        return;
    }
    reach->unresolved = err;
    reach->search = lan_search_start(reach->searches, reach->host, reach->port, reach_searched,
                                     reach);
    if (!reach->search) {
        reach_fail(reach, -ENOMEM);
    }
}

static void reach_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct reach *reach = arg;
    reach->resolve = NULL;
    if (err < 0) {
        reach_search(reach, err);
    } else {
        reach_found(reach, addrs, count);
    }
}

static void on_refuse(void *arg)
{
    reach_refuse(arg, NULL);
}

/*
 * The list is asked before the name servers: a name that nothing on it could allow is not
 * looked up, so that the VPS does not learn by it which names there are.
 */
static int start(struct reach *reach, const struct reach_request *request)
{
    if (!targets_might_allow(reach->allowed, reach->host, reach->port)) {
        reach->refuse = timer_new(reach->loop, on_refuse, reach);
        if (!reach->refuse) {
            return -ENOMEM;
        }
        timer_set(reach->refuse, 0);
        return 0;
    }
    reach->resolve = resolve_start(request->resolver, reach->host, reach->port, RESOLVE_MS,
                                   reach_resolved, reach);
    return reach->resolve ? 0 : -ENOMEM;
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
    reach->searches = request->searches;
    reach->port = request->port;
    reach->probe = request->probe;
    snprintf(reach->host, sizeof reach->host, "%s", request->host);
    reach->demand = demand_make(request->kind, request->look, request->identity, request->sights);
    reach->lines = request->lines;
    if (start(reach, request) < 0) {
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
