#include "gateway/setup/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/dial.h"
#include "base/host.h"
#include "base/resolve.h"
#include "control/channel.h"

enum { RESOLVE_MS = 10000, DIAL_MS = 8000 };

struct looking {
    const struct look_request *request;
    struct look_result result;
    struct why *why;
    uv_loop_t loop;
    struct tls_config *tls;
    struct resolver *resolver;
    struct resolve *resolve;
    struct dial *dial;
    struct channel *channel;
    char where[TARGET_TEXT_MAX];
    bool done;
    int err;
};

/* ---- the end -------------------------------------------------------------- */

static void finish(struct looking *looking, int err)
{
    looking->err = err;
    looking->done = true;
}

static int say_unreachable(const struct looking *looking, int err)
{
    const char *advice = err == -ECONNREFUSED
                             ? "the server is there, but no vps-agent is listening on that port: "
                               "is it running, and is the port right?"
                         : err == -ETIMEDOUT ? "no answer: allow that TCP port in through the "
                                               "server's firewall, and out through this network's"
                                             : "is this machine online, and is the address right?";
    return why_set(looking->why, -EHOSTUNREACH, "cannot reach %s (%s); %s", looking->where,
                   strerror(-err), advice);
}

static int say_auth(const struct looking *looking)
{
    return why_set(looking->why, -EACCES,
                   "%s does not accept the key, or does not know the gateway \"%s\": if the key is "
                   "new, have vps-agent read it (sudo pamctl reload there); otherwise make a new "
                   "join string there with vps-agent "
                   "--invite %s",
                   looking->where, looking->request->gateway_name, looking->request->gateway_name);
}

/* ---- the steps ------------------------------------------------------------ */

static void on_opened(void *arg)
{
    (void)arg; /* not when looking */
}

static void on_received(void *arg, const struct message *message)
{
    (void)arg;
    (void)message;
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct looking *looking = arg;
    const char *program = channel_peer_program(looking->channel);
    enum goodbye_reason goodbye = channel_peer_goodbye(looking->channel);

    snprintf(looking->result.program, sizeof looking->result.program, "%s", program);
    looking->result.taken = goodbye == GOODBYE_REPLACED;
    if (goodbye == GOODBYE_LOOK || goodbye == GOODBYE_REPLACED ||
        (end == CHANNEL_END_PEER && program[0])) {
        finish(looking, 0);
    } else if (end == CHANNEL_END_AUTH) {
        finish(looking, say_auth(looking));
    } else if (goodbye == GOODBYE_EXPIRED) {
        finish(looking, why_set(looking->why, -EKEYEXPIRED, "%s", why->text));
    } else if (goodbye == GOODBYE_FULL) {
        finish(looking,
               why_set(looking->why, -EDQUOT, "the VPS turns this gateway away: %s", why->text));
    } else if (end == CHANNEL_END_VERSION || goodbye == GOODBYE_VERSION) {
        finish(looking, why_set(looking->why, -EPROTONOSUPPORT, "%s", why->text));
    } else {
        finish(looking, why_set(looking->why, -EPROTO,
                                "what listens on %s does not answer like a vps-agent: %s; is "
                                "the port right?",
                                looking->where, why->text));
    }
    channel_free(looking->channel);
    looking->channel = NULL;
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct looking *looking = arg;
    struct channel_options options = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 30,
                                      .program = "gateway-agent " PAMTUNNEL_VERSION,
                                      .look = true,
                                      .events = &EVENTS,
                                      .arg = looking};
    looking->dial = NULL;
    if (fd < 0) {
        finish(looking, say_unreachable(looking, fd));
        return;
    }
    looking->result.vps = *addr;
    int err = channel_new(&looking->loop, looking->tls, fd, &options, &looking->channel);
    if (err < 0) {
        close(fd);
        finish(looking, why_set(looking->why, err, "%s", strerror(-err)));
    }
}

static void no_name(struct looking *looking, int err)
{
    const char *clause = err == -ENOENT   ? "no such name; is it spelled right?"
                         : err == -EAGAIN ? "no name server answers; is this machine online?"
                                          : strerror(-err);
    finish(looking, why_set(looking->why, -ENOENT, "cannot look up %s: %s",
                            looking->request->vps_host, clause));
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct looking *looking = arg;
    looking->resolve = NULL;
    if (err < 0) {
        no_name(looking, err);
        return;
    }
    struct addr chosen[RESOLVE_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (looking->request->family == AF_UNSPEC ||
            addrs[i].sa.sa_family == looking->request->family) {
            chosen[n++] = addrs[i];
        }
    }
    if (n == 0) {
        no_name(looking, -ENOENT);
        return;
    }
    looking->dial = dial_start(&looking->loop, chosen, n, DIAL_MS, false, on_dialled, looking);
    if (!looking->dial) {
        finish(looking, why_set(looking->why, -ENOMEM, "out of memory"));
    }
}

/* ---- all of it ------------------------------------------------------------ */

static int start(struct looking *looking)
{
    const struct look_request *request = looking->request;
    int err = tls_config_client(request->gateway_name, request->key, &looking->tls);
    if (err < 0) {
        return err;
    }
    looking->resolver = resolver_new(&looking->loop, 1);
    looking->resolve = looking->resolver
                           ? resolve_start(looking->resolver, request->vps_host,
                                           request->control_port, RESOLVE_MS, on_resolved, looking)
                           : NULL;
    return looking->resolve ? 0 : -ENOMEM;
}

int look(const struct look_request *request, struct look_result *ret_result, struct why *why)
{
    struct looking looking = {.request = request, .why = why};
    int err = uv_loop_init(&looking.loop);
    if (err < 0) {
        return why_set(why, err, "cannot start the event loop: %s", uv_strerror(err));
    }
    target_format(request->vps_host, request->control_port, looking.where);
    err = start(&looking);
    if (err < 0) {
        finish(&looking, why_set(why, err, "cannot start: %s", strerror(-err)));
    }
    while (!looking.done) {
        uv_run(&looking.loop, UV_RUN_ONCE);
    }
    resolver_free(looking.resolver);
    uv_run(&looking.loop, UV_RUN_DEFAULT);
    tls_config_free(looking.tls);
    uv_loop_close(&looking.loop);
    if (looking.err == 0) {
        *ret_result = looking.result;
    }
    return looking.err;
}
