/*
 * look-up -> dial -> TLS -> the VPS's greeting, on a loop of its own, until one of them says what
 * is wrong or the VPS says goodbye. The channel announces that it only looks (`look`), so that
 * vps-agent checks key, name and version as for a login, and ends it there: who is online stays so.
 *
 * finish() only notes the end. What is still under way is freed, and the loop run dry, when
 * login_check() is out of the loop: a callback never frees what called it, but for the channel,
 * which allows that.
 */
#include "gateway/setup/login_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/dial.h"
#include "base/host.h"
#include "base/resolve.h"
#include "base/text.h"
#include "control/channel.h"

enum { RESOLVE_MS = 10000, DIAL_MS = 8000 };

struct login_check {
    const struct login_check_request *request;
    struct login_check_result result;
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

static void finish(struct login_check *check, int err)
{
    check->err = err;
    check->done = true;
}

static int say_unreachable(const struct login_check *check, int err)
{
    const char *advice = err == -ECONNREFUSED
                             ? "the server is there, but no vps-agent is listening on that port: "
                               "is it running, and is the port right?"
                         : err == -ETIMEDOUT ? "no answer: allow that TCP port in through the "
                                               "server's firewall, and out through this network's"
                                             : "is this machine online, and is the address right?";
    return why_set(check->why, -EHOSTUNREACH, "cannot reach %s (%s); %s", check->where,
                   strerror(-err), advice);
}

/*
 * vps-agent answers an unknown name as it answers a wrong key, so that nobody finds out names; so
 * the sentence has to speak of both.
 */
static int say_auth(const struct login_check *check)
{
    if (!check->request->key) {
        return why_set(check->why, -EACCES,
                       "%s does not pair gateways: it may be too old for that, or too many ask "
                       "there. Update vps-agent, or make a join string there with vps-agent "
                       "--invite %s",
                       check->where, check->request->gateway_name);
    }
    return why_set(check->why, -EACCES,
                   "%s does not accept the key, or does not know the gateway \"%s\": if the key is "
                   "new, have vps-agent read it (sudo pamctl reload there); otherwise make a new "
                   "join string there with pamctl gateway add or rotate, or with vps-agent "
                   "--invite %s if its key is in TUNNEL_KEY",
                   check->where, check->request->gateway_name, check->request->gateway_name);
}

/* ---- the steps ------------------------------------------------------------ */

static void on_opened(void *arg)
{
    (void)arg; /* not when check */
}

static void on_received(void *arg, const struct message *message)
{
    (void)arg;
    (void)message;
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct login_check *check = arg;
    const char *program = channel_peer_program(check->channel);
    enum goodbye_reason goodbye = channel_peer_goodbye(check->channel);
    snprintf(check->result.program, sizeof check->result.program, "%s", program);
    check->result.taken = goodbye == GOODBYE_REPLACED;
    if (goodbye == GOODBYE_UNPAIRED) {
        struct text text = text_over(check->result.unpaired, sizeof check->result.unpaired);
        text_add(&text, "%s", why->text);
    }
    /*
     * A vps-agent that does not know the question hangs up without a word, but after its HELLO: the
     * handshake, and with it the key, was right.
     */
    if (goodbye == GOODBYE_LOOK || goodbye == GOODBYE_REPLACED || goodbye == GOODBYE_UNPAIRED ||
        (end == CHANNEL_END_PEER && program[0])) {
        finish(check, 0);
    } else if (end == CHANNEL_END_AUTH) {
        finish(check, say_auth(check));
    } else if (goodbye == GOODBYE_EXPIRED) {
        finish(check, why_set(check->why, -EKEYEXPIRED, "%s", why->text));
    } else if (goodbye == GOODBYE_FULL) {
        finish(check,
               why_set(check->why, -EDQUOT, "the VPS turns this gateway away: %s", why->text));
    } else if (end == CHANNEL_END_VERSION || goodbye == GOODBYE_VERSION) {
        finish(check, why_set(check->why, -EPROTONOSUPPORT, "%s", why->text));
    } else {
        finish(check, why_set(check->why, -EPROTO,
                              "what listens on %s does not answer like a vps-agent: %s; is "
                              "the port right?",
                              check->where, why->text));
    }
    channel_free(check->channel);
    check->channel = NULL;
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct login_check *check = arg;
    struct channel_options options = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 30,
                                      .program = "gateway-agent " PAMTUNNEL_VERSION,
                                      .look = true,
                                      .pair = !check->request->key,
                                      .events = &EVENTS,
                                      .arg = check};
    check->dial = NULL;
    if (fd < 0) {
        finish(check, say_unreachable(check, fd));
        return;
    }
    check->result.vps = *addr;
    int err = channel_new(&check->loop, check->tls, fd, &options, &check->channel);
    if (err < 0) {
        close(fd);
        finish(check, why_set(check->why, err, "%s", strerror(-err)));
    }
}

static void no_name(struct login_check *check, int err)
{
    const char *clause = err == -ENOENT   ? "no such name; is it spelled right?"
                         : err == -EAGAIN ? "no name server answers; is this machine online?"
                                          : strerror(-err);
    finish(check,
           why_set(check->why, -ENOENT, "cannot look up %s: %s", check->request->vps_host, clause));
}

/*
 * --doctor tries each family by itself: otherwise the one that works would hide that the other does
 * not.
 */
static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct login_check *check = arg;
    check->resolve = NULL;
    if (err < 0) {
        no_name(check, err);
        return;
    }
    struct addr chosen[RESOLVE_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (check->request->family == AF_UNSPEC ||
            addrs[i].sa.sa_family == check->request->family) {
            chosen[n++] = addrs[i];
        }
    }
    if (n == 0) {
        no_name(check, -ENOENT);
        return;
    }
    check->dial = dial_start(&check->loop, chosen, n, DIAL_MS, false, on_dialled, check);
    if (!check->dial) {
        finish(check, why_set(check->why, -ENOMEM, "out of memory"));
    }
}

/* ---- all of it ------------------------------------------------------------ */

static int start(struct login_check *check)
{
    const struct login_check_request *request = check->request;
    int err = tls_config_client(request->key ? request->gateway_name : TLS_STRANGER,
                                request->key ? request->key : TLS_STRANGER_KEY, &check->tls);
    if (err < 0) {
        return err;
    }
    check->resolver = resolver_new(&check->loop, 1);
    check->resolve = check->resolver
                         ? resolve_start(check->resolver, request->vps_host, request->control_port,
                                         RESOLVE_MS, on_resolved, check)
                         : NULL;
    return check->resolve ? 0 : -ENOMEM;
}

int login_check(const struct login_check_request *request, struct login_check_result *ret_result,
                struct why *why)
{
    struct login_check check = {.request = request, .why = why};
    int err = uv_loop_init(&check.loop);
    if (err < 0) {
        return why_set(why, err, "cannot start the event loop: %s", uv_strerror(err));
    }
    target_format(request->vps_host, request->control_port, check.where);
    err = start(&check);
    if (err < 0) {
        finish(&check, why_set(why, err, "cannot start: %s", strerror(-err)));
    }
    while (!check.done) {
        uv_run(&check.loop, UV_RUN_ONCE);
    }
    resolver_free(check.resolver);
    uv_run(&check.loop, UV_RUN_DEFAULT);
    tls_config_free(check.tls);
    uv_loop_close(&check.loop);
    if (check.err == 0) {
        *ret_result = check.result;
    }
    return check.err;
}
