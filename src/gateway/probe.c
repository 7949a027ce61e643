/*
 * dial -> look, as far as a look is wanted -> whether that is the one.
 *
 * A server may have host keys of several types, and shows one at a time: the best one, or that of a
 * type that is asked for. If it is not the key that has to be there, the server may have that
 * nevertheless: a key of a better type was added, and ssh, which asks for the type that it knows,
 * would be content. So each type that the server offers is looked at before it is another machine.
 *
 * Who shows nothing, and has to be somebody, is refused: if it were let through, whoever wants to
 * pass for the target would only have to be silent while it is looked at.
 */
#include "gateway/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dial.h"
#include "base/host.h"
#include "gateway/look/host_key.h"
#include "gateway/look/look.h"

enum { PROBE_MS = 5000 };

struct probe {
    uv_loop_t *loop;
    probe_fn fn;
    void *arg;
    char host[HOST_MAX + 1];
    uint16_t port;
    struct demand demand;
    struct sieve *lines;
    struct dial *dial;
    struct look *look;
    bool has_answered;
    struct addr answered;
    unsigned wanted, seen; /* types of host keys: of this look, and of those before */
};

static void probe_free(struct probe *probe)
{
    dial_cancel(probe->dial);
    look_cancel(probe->look);
    free(probe);
}

static void probe_finish(struct probe *probe, const struct failure *failure)
{
    probe_fn fn = probe->fn;
    void *arg = probe->arg;
    struct addr answered = probe->answered;
    bool has_answered = probe->has_answered;
    probe_free(probe);
    fn(arg, failure, has_answered ? &answered : NULL);
}

static void probe_fail(struct probe *probe, int err)
{
    char what[TARGET_TEXT_MAX];
    target_format(probe->host, probe->port, what);
    struct failure failure = failure_of_target(err, what);
    probe_finish(probe, &failure);
}

static void probe_decide(struct probe *probe)
{
    struct failure failure;
    bool allowed = demand_allows(&probe->demand, &probe->answered, probe->host, &failure);
    probe_finish(probe, allowed ? NULL : &failure);
}

/* ---- who it is ------------------------------------------------------------- */

static void log_look(const struct probe *probe, const struct sight *sight, const struct why *why)
{
    char target[TARGET_TEXT_MAX], address[ADDR_TEXT_MAX], shown[SIGHT_TEXT_MAX];
    target_format(probe->host, probe->port, target);
    addr_text(&probe->answered, address);
    if (sight) {
        sieve_log(probe->lines, "looks at targets", LOG_INFO, "target %s (%s) shows %s %s", target,
                  address, kind_row(demand_kind(&probe->demand))->label,
                  sight_text(sight->identity, shown));
    } else {
        sieve_log(probe->lines, "looks at targets", LOG_WARN,
                  "target %s (%s) shows nothing to know it by: %s", target, address, why->text);
    }
}

/* The type of host key that is worth another look; 0: none. */
static unsigned next_type(const struct probe *probe, const struct sight *sight)
{
    unsigned left = sight ? sight->host_keys & ~probe->seen : 0;
    bool is_met = demand_is_met(&probe->demand, &probe->answered);
    return probe->demand.is_for_one && !is_met ? left & -left : 0;
}

static void on_connected(void *arg, int fd, const struct addr *addr);

static void probe_dial(struct probe *probe, const struct addr *addrs, unsigned count)
{
    probe->dial = dial_start(probe->loop, addrs, count, PROBE_MS, DIAL_PLAIN, on_connected, probe);
}

static void on_looked(void *arg, const struct sight *sight, const struct why *why)
{
    struct probe *probe = arg;
    probe->look = NULL;
    log_look(probe, sight, why);
    demand_note(&probe->demand, &probe->answered, sight, why);
    probe->seen |= probe->wanted | (sight ? host_key_type(sight->host_key) : 0);
    probe->wanted = next_type(probe, sight);
    if (probe->wanted == 0) {
        probe_decide(probe);
        return;
    }
    const struct addr answered = probe->answered;
    probe_dial(probe, &answered, 1);
    if (!probe->dial) {
        probe_fail(probe, -ENOMEM);
    }
}

/* Takes over the connection. */
static void probe_look(struct probe *probe, int fd)
{
    probe->look = look_start(probe->loop, fd, demand_kind(&probe->demand), probe->wanted, on_looked,
                             probe);
    if (!probe->look) {
        probe_fail(probe, -ENOMEM);
    }
}

/* ---- whether it answers ---------------------------------------------------- */

static void on_connected(void *arg, int fd, const struct addr *addr)
{
    struct probe *probe = arg;
    probe->dial = NULL;
    if (fd < 0) {
        probe_fail(probe, fd);
        return;
    }
    probe->answered = *addr;
    probe->has_answered = true;
    if (probe->wanted == 0 && demand_wants_look(&probe->demand, addr)) {
        probe->wanted = demand_first_type(&probe->demand, addr);
        probe_look(probe, fd);
    } else if (probe->wanted != 0) {
        probe_look(probe, fd);
    } else {
        /* Closed, not kept for the session: an idle login would time out before its user comes. */
        close(fd);
        probe_decide(probe);
    }
}

struct probe *probe_start(uv_loop_t *loop, const struct probe_request *request, probe_fn fn,
                          void *arg)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe) {
        return NULL;
    }
    *probe = (struct probe){.loop = loop,
                            .fn = fn,
                            .arg = arg,
                            .port = request->port,
                            .demand = request->demand,
                            .lines = request->lines};
    snprintf(probe->host, sizeof probe->host, "%s", request->host);
    probe_dial(probe, request->addrs, request->count);
    if (!probe->dial) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

void probe_cancel(struct probe *probe)
{
    if (probe) {
        probe_free(probe);
    }
}
