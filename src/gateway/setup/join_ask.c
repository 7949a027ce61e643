/*
 * look-up -> dial -> TLS -> both HELLOs -> the code is shown -> the VPS lets it in -> the person
 * says that it was they -> confirmed -> the VPS says that it has the key
 *
 * On a loop of its own, which stands still while the person is asked: nothing else happens here,
 * and the VPS was told not to expect a sign of life meanwhile (KEEPALIVE_SECS). finish() only notes
 * the end; what is still under way is freed when join_ask() is out of the loop, but for the
 * channel, which may be freed in its own callbacks.
 */
#include "gateway/setup/join_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/dial.h"
#include "base/host.h"
#include "base/prompt.h"
#include "base/resolve.h"
#include "base/timer.h"
#include "control/accord.h"
#include "control/channel.h"

enum {
    RESOLVE_MS = 10000,
    DIAL_MS = 8000,
    PATIENCE_MS = 11 * 60 * 1000, /* the VPS ends it after ten */
    KEEPALIVE_SECS = 900,
};

struct join_ask {
    struct invite *invite;
    struct why *why;
    uv_loop_t loop;
    struct tls_config *tls;
    struct resolver *resolver;
    struct resolve *resolve;
    struct dial *dial;
    struct channel *channel;
    struct timer *patience;
    struct accord accord;
    char where[TARGET_TEXT_MAX];
    bool confirmed, done;
    int err;
};

/* ---- the end -------------------------------------------------------------- */

static void finish(struct join_ask *ask, int err)
{
    ask->err = err;
    ask->done = true;
}

static void give_up(struct join_ask *ask, const char *because)
{
    finish(ask, why_set(ask->why, -EPROTO, "%s", because));
}

static void on_patience_over(void *arg)
{
    give_up(arg, "nobody has let this gateway in");
}

/* ---- steps ---------------------------------------------------------------- */

static void show_code(const struct join_ask *ask)
{
    char code[ACCORD_CODE_MAX];
    accord_code(&ask->accord, code);
    printf("\n    %s\n\n", code);
    printf("Let gateway %s in where the server shows the same code: in the chat, or on the server "
           "with\nsudo pamctl gateway accept %.3s%s. If it shows another one, somebody is in "
           "between. Waiting...\n",
           ask->invite->gateway, code, code + 4);
    fflush(stdout);
}

static void on_pair_answer(struct join_ask *ask, const struct message_pair_answer *answer)
{
    struct message open;
    if (accord_open(&ask->accord, answer, &open) < 0 || channel_send(ask->channel, &open) < 0) {
        give_up(ask, "what the server answers makes no sense");
        return;
    }
    show_code(ask);
}

static void on_pair_accept(struct join_ask *ask, const struct message_pair_accept *accept)
{
    struct message confirm;
    timer_stop(ask->patience);
    if (accord_accepted(&ask->accord, accept) < 0) {
        give_up(ask, "it was let in by somebody else than who has answered: somebody is in "
                     "between");
    } else if (!prompt_yes("The server says that it was let in. Was it you, or somebody you know "
                           "of, who did that, at this code?")) {
        give_up(ask, "not confirmed, so nothing was written: if nobody has let it in there, "
                     "somebody else answers in the server's place");
    } else if (accord_key(&ask->accord, ask->invite->key) < 0 ||
               accord_confirm(&ask->accord, &confirm) < 0 ||
               channel_send(ask->channel, &confirm) < 0) {
        give_up(ask, "the connection broke when it had been let in");
    } else {
        ask->confirmed = true;
    }
}

/* ---- the channel ------------------------------------------------------------ */

static void on_opened(void *arg)
{
    (void)arg; /* not without a key */
}

static void on_met(void *arg)
{
    struct join_ask *ask = arg;
    struct message commit;
    if (accord_commit(&ask->accord, ask->invite->gateway, &commit) < 0 ||
        channel_send(ask->channel, &commit) < 0) {
        give_up(ask, "cannot begin to ask");
        return;
    }
    timer_set(ask->patience, PATIENCE_MS);
}

static void on_received(void *arg, const struct message *message)
{
    struct join_ask *ask = arg;
    switch (message->type) {
#define MESSAGE_OF_VPS_PAIRING(NAME, name) \
    case MESSAGE_##NAME:                   \
        on_##name(ask, &message->name);    \
        break;
#include "control/messages.def"
    default: /* no other comes while pairing */
        break;
    }
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct join_ask *ask = arg;
    enum goodbye_reason goodbye = channel_peer_goodbye(ask->channel);
    channel_free(ask->channel);
    ask->channel = NULL;
    if (goodbye == GOODBYE_PAIRED && ask->confirmed) {
        finish(ask, 0);
    } else if (end == CHANNEL_END_AUTH) {
        finish(ask, why_set(ask->why, -EACCES,
                            "%s does not pair gateways: it may be too old for that, or too many "
                            "ask there",
                            ask->where));
    } else if (ask->confirmed) {
        finish(ask, why_set(ask->why, -EPROTO,
                            "the connection broke when the server was about to keep the key (%s): "
                            "try again",
                            why->text));
    } else {
        finish(ask, why_set(ask->why, -EPROTO, "%s: %s", ask->where, why->text));
    }
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed, .met = on_met};

/* ---- the way there ------------------------------------------------------------ */

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct join_ask *ask = arg;
    struct channel_options options = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = KEEPALIVE_SECS,
                                      .program = "gateway-agent " PAMTUNNEL_VERSION,
                                      .pair = true,
                                      .events = &EVENTS,
                                      .arg = ask};
    (void)addr;
    ask->dial = NULL;
    int err = fd < 0 ? fd : channel_new(&ask->loop, ask->tls, fd, &options, &ask->channel);
    if (err < 0) {
        if (fd >= 0) {
            close(fd);
        }
        finish(ask, why_set(ask->why, -EHOSTUNREACH,
                            "cannot reach %s: %s. Is vps-agent running there, and does its "
                            "firewall let that TCP port in?",
                            ask->where, strerror(-err)));
    }
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct join_ask *ask = arg;
    ask->resolve = NULL;
    if (err < 0) {
        finish(ask, why_set(ask->why, -ENOENT, "cannot look up %s: %s", ask->invite->host,
                            err == -ENOENT ? "no such name; is it spelled right?"
                                           : "no name server answers; is this machine online?"));
        return;
    }
    ask->dial = dial_start(&ask->loop, addrs, count, DIAL_MS, false, on_dialled, ask);
    if (!ask->dial) {
        finish(ask, why_set(ask->why, -ENOMEM, "out of memory"));
    }
}

/* ---- all of it ------------------------------------------------------------------ */

static int start(struct join_ask *ask)
{
    int err = tls_config_client(TLS_STRANGER, TLS_STRANGER_KEY, &ask->tls);
    if (err < 0) {
        return err;
    }
    ask->patience = timer_new(&ask->loop, on_patience_over, ask);
    ask->resolver = resolver_new(&ask->loop, 1);
    ask->resolve = ask->patience && ask->resolver
                       ? resolve_start(ask->resolver, ask->invite->host, ask->invite->port,
                                       RESOLVE_MS, on_resolved, ask)
                       : NULL;
    return ask->resolve ? 0 : -ENOMEM;
}

int join_ask(struct invite *invite, struct why *why)
{
    struct join_ask ask = {.invite = invite, .why = why};
    int err = uv_loop_init(&ask.loop);
    if (err < 0) {
        return why_set(why, err, "cannot start the event loop: %s", uv_strerror(err));
    }
    target_format(invite->host, invite->port, ask.where);
    err = start(&ask);
    if (err < 0) {
        finish(&ask, why_set(why, err, "cannot start: %s", strerror(-err)));
    }
    while (!ask.done) {
        uv_run(&ask.loop, UV_RUN_ONCE);
    }
    channel_free(ask.channel);
    timer_free(ask.patience);
    resolver_free(ask.resolver);
    uv_run(&ask.loop, UV_RUN_DEFAULT);
    tls_config_free(ask.tls);
    uv_loop_close(&ask.loop);
    accord_wipe(&ask.accord);
    return ask.err;
}
