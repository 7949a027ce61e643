/*
 * Name servers first: what they say that the list allows is taken. Names without a dot are asked
 * for in the LAN as well: as soon as name servers say no, or nothing for a while, or something that
 * the list does not allow (there are those that answer to every name). All that comes of the LAN is
 * in a network that this machine is in, so that a name on the list allows nothing beyond.
 *
 * Both may be on their way at once, and the first good answer wins. It ends itself before it calls
 * back (finish()).
 */
#include "gateway/whereabouts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/text.h"
#include "base/timer.h"

static_assert((int)TUNNEL_FOUND_BY_MDNS == (int)LAN_MDNS &&
                  (int)TUNNEL_FOUND_BY_LLMNR == (int)LAN_LLMNR &&
                  (int)TUNNEL_FOUND_BY_NETBIOS == (int)LAN_NETBIOS,
              "the wire's numbers are those of the protocols");

struct whereabouts {
    uv_loop_t *loop;
    whereabouts_fn fn;
    void *arg;
    const struct targets *allowed;
    struct lan_searches *searches;
    char host[HOST_MAX + 1];
    uint16_t port;
    struct timer *timer; /* of the head start; or in the next turn, of what is refused at once */
    struct resolve *resolve;
    struct lan_search *search;
    bool asked_lan;
    int unresolved, unfound; /* what either has come to; 0: not yet, or not asked */
    struct addr refused;     /* what the list does not allow */
};

/* ---- the end --------------------------------------------------------------- */

static void whereabouts_free(struct whereabouts *whereabouts)
{
    resolve_cancel(whereabouts->resolve);
    lan_search_cancel(whereabouts->search);
    timer_free(whereabouts->timer);
    free(whereabouts);
}

static void finish(struct whereabouts *whereabouts, const struct failure *failure,
                   const struct whereabouts_found *found)
{
    whereabouts_fn fn = whereabouts->fn;
    void *arg = whereabouts->arg;
    whereabouts_free(whereabouts);
    fn(arg, failure, found);
}

/*
 * What the name resolved to stays here, in the note: it is nobody's business outside the LAN.
 */
struct failure whereabouts_not_allowed(const char *host, uint16_t port, const struct addr *addr)
{
    char what[TARGET_TEXT_MAX], address[ADDR_TEXT_MAX];
    target_format(host, port, what);
    struct failure failure = failure_make(
        TUNNEL_NOT_ALLOWED, "%.100s is not among the ALLOWED_TARGETS of this gateway", what);
    struct text note = text_over(failure.note, sizeof failure.note);
    if (addr) {
        text_add(&note, "ALLOWED_TARGETS has neither the name nor %s", addr_text(addr, address));
    } else {
        text_add(&note, "ALLOWED_TARGETS has neither the name nor a network with port %u", port);
    }
    return failure;
}

/* Neither name servers nor the LAN know it. */
static struct failure failure_of(const struct whereabouts *whereabouts)
{
    if (whereabouts->unresolved == -EACCES || whereabouts->unfound == -EACCES) {
        return whereabouts_not_allowed(whereabouts->host, whereabouts->port, &whereabouts->refused);
    }
    if (whereabouts->unfound == -EBUSY) {
        return failure_make(TUNNEL_ERROR,
                            "it asks its network for too many other names already: try again");
    }
    if (whereabouts->unfound == -ENOENT && whereabouts->unresolved == -ENOENT) {
        return failure_make(TUNNEL_UNKNOWN_NAME,
                            "%.100s is not known to the gateway's name servers, and no machine in "
                            "its network answers to it",
                            whereabouts->host);
    }
    return failure_of_target(whereabouts->unresolved, whereabouts->host);
}

/* ---- what was found --------------------------------------------------------- */

unsigned whereabouts_keep_allowed(const struct targets *allowed, const char *host,
                                  const struct addr *addrs, unsigned count, struct addr *ret_kept)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count && kept < RESOLVE_MAX; i++) {
        if (targets_allow_name(allowed, host, addr_port(&addrs[i])) ||
            targets_allow_addr(allowed, &addrs[i])) {
            ret_kept[kept++] = addrs[i];
        }
    }
    return kept;
}

/* The end if the list has one of them; else -EACCES, and which it has not. */
static int take(struct whereabouts *whereabouts, struct whereabouts_found found)
{
    struct addr kept[RESOLVE_MAX];
    whereabouts->refused = found.addrs[0];
    found.count = whereabouts_keep_allowed(whereabouts->allowed, whereabouts->host, found.addrs,
                                           found.count, kept);
    if (found.count == 0) {
        return -EACCES;
    }
    found.addrs = kept;
    finish(whereabouts, NULL, &found);
    return 0;
}

/* ---- the LAN ----------------------------------------------------------------- */

static void on_searched(void *arg, int err, const struct lan_found *found)
{
    struct whereabouts *whereabouts = arg;
    whereabouts->search = NULL;
    if (err == 0) {
        err = take(whereabouts,
                   (struct whereabouts_found){.addrs = found->addrs,
                                              .count = found->count,
                                              .found_by = (enum tunnel_found_by)found->by,
                                              .said_by = found->said_by,
                                              .rival = found->rival});
    }
    if (err < 0) {
        whereabouts->unfound = err;
        if (!whereabouts->resolve) {
            struct failure failure = failure_of(whereabouts);
            finish(whereabouts, &failure, NULL);
        }
    }
}

/* Once. False: it is no name for the LAN, or there is no memory. */
static bool ask_lan(struct whereabouts *whereabouts)
{
    if (whereabouts->asked_lan || !lan_question_is_for(whereabouts->host)) {
        return false;
    }
    whereabouts->asked_lan = true;
    whereabouts->search = lan_search_start(whereabouts->searches, whereabouts->host,
                                           whereabouts->port, on_searched, whereabouts);
    return whereabouts->search != NULL;
}

static void on_head_start_over(void *arg)
{
    struct whereabouts *whereabouts = arg;
    if (whereabouts->resolve) {
        ask_lan(whereabouts);
    }
}

/* ---- the name servers --------------------------------------------------------- */

/* What the LAN may know better. */
static bool may_be_asked_further(int err)
{
    return err == -ENOENT || err == -EAGAIN || err == -EBUSY || err == -EACCES;
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct whereabouts *whereabouts = arg;
    whereabouts->resolve = NULL;
    if (err == 0) {
        err = take(whereabouts, (struct whereabouts_found){.addrs = addrs, .count = count});
    }
    if (err == 0) {
        return;
    }
    whereabouts->unresolved = err;
    if (!whereabouts->search && !(may_be_asked_further(err) && ask_lan(whereabouts))) {
        struct failure failure = failure_of(whereabouts);
        finish(whereabouts, &failure, NULL);
    }
}

static void on_refuse(void *arg)
{
    struct whereabouts *whereabouts = arg;
    struct failure failure = whereabouts_not_allowed(whereabouts->host, whereabouts->port, NULL);
    finish(whereabouts, &failure, NULL);
}

/* ---- life ----------------------------------------------------------------------- */

/*
 * The list is asked before the name servers: a name that nothing on it could allow is not
 * looked up, so that the VPS does not learn by it which names there are.
 */
static int start(struct whereabouts *whereabouts, const struct whereabouts_request *request)
{
    bool may = targets_might_allow(request->allowed, request->host, request->port);
    whereabouts->timer = timer_new(whereabouts->loop, may ? on_head_start_over : on_refuse,
                                   whereabouts);
    if (!whereabouts->timer) {
        return -ENOMEM;
    }
    timer_set(whereabouts->timer, may ? WHEREABOUTS_HEAD_START_MS : 0);
    if (may) {
        whereabouts->resolve = resolve_start(request->resolver, request->host, request->port,
                                             WHEREABOUTS_LOOK_UP_MS, on_resolved, whereabouts);
    }
    return !may || whereabouts->resolve ? 0 : -ENOMEM;
}

struct whereabouts *whereabouts_start(uv_loop_t *loop, const struct whereabouts_request *request,
                                      whereabouts_fn fn, void *arg)
{
    struct whereabouts *whereabouts = calloc(1, sizeof *whereabouts);
    if (!whereabouts) {
        return NULL;
    }
    whereabouts->loop = loop;
    whereabouts->fn = fn;
    whereabouts->arg = arg;
    whereabouts->allowed = request->allowed;
    whereabouts->searches = request->searches;
    whereabouts->port = request->port;
    snprintf(whereabouts->host, sizeof whereabouts->host, "%s", request->host);
    if (start(whereabouts, request) < 0) {
        whereabouts_free(whereabouts);
        return NULL;
    }
    return whereabouts;
}

void whereabouts_cancel(struct whereabouts *whereabouts)
{
    if (whereabouts) {
        whereabouts_free(whereabouts);
    }
}
