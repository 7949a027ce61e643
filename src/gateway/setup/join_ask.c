/*
 * call -> the code is shown -> the VPS lets it in -> the person says that it was they -> confirmed
 * -> the VPS says that it has the key
 *
 * The loop stands still while the person is asked: nothing else happens here, and the VPS was told
 * not to expect a sign of life meanwhile (KEEPALIVE_SECS). So it is a timer of our own that ends
 * the waiting for somebody who says nothing.
 */
#include "gateway/setup/join_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prompt.h"
#include "base/timer.h"
#include "control/accord.h"
#include "gateway/setup/vps_call.h"

enum {
    PATIENCE_MS = 11 * 60 * 1000, /* the VPS ends it after ten */
    KEEPING_MS = 15 * 1000,       /* its disk may be slow */
    KEEPALIVE_SECS = 900,
};

struct join_ask {
    struct invite *invite;
    struct why *why;
    struct vps_call *call;
    struct timer *patience;
    struct accord accord;
    bool confirmed;
};

/* ---- the end -------------------------------------------------------------- */

static void give_up(struct join_ask *ask, const char *because)
{
    vps_call_end(ask->call, why_set(ask->why, -EPROTO, "%s", because));
}

static void say_unkept(struct join_ask *ask, const char *because)
{
    vps_call_end(ask->call, why_set(ask->why, -EPROTO,
                                    "the connection broke when the server was about to keep the "
                                    "key (%s): try again",
                                    because));
}

static void on_patience_over(void *arg)
{
    struct join_ask *ask = arg;
    if (ask->confirmed) {
        say_unkept(ask, "it says nothing any more");
    } else {
        give_up(ask, "nobody has let this gateway in");
    }
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
    if (accord_open(&ask->accord, answer, &open) < 0 ||
        channel_send(vps_call_channel(ask->call), &open) < 0) {
        give_up(ask, "what the server answers makes no sense");
        return;
    }
    show_code(ask);
}

/* What was typed before the question is no answer to it. */
static bool agrees(const char *question)
{
    prompt_forget();
    return prompt_yes(question);
}

static void on_pair_accept(struct join_ask *ask, const struct message_pair_accept *accept)
{
    struct message confirm;
    timer_stop(ask->patience); /* a person is not hurried; the VPS waits for two minutes */
    if (accord_accepted(&ask->accord, accept) < 0) {
        give_up(ask, "it was let in by somebody else than who has answered: somebody is in "
                     "between");
    } else if (!agrees("The server says that it was let in. Was it you, or somebody you know, "
                       "who let it in at this code?")) {
        give_up(ask, "not confirmed, so nothing was written: if nobody has let it in there, "
                     "somebody else answers in the server's place");
    } else if (accord_key(&ask->accord, ask->invite->key) < 0 ||
               accord_confirm(&ask->accord, &confirm) < 0 ||
               channel_send(vps_call_channel(ask->call), &confirm) < 0) {
        give_up(ask, "the connection broke when it had been let in");
    } else {
        ask->confirmed = true;
        timer_set(ask->patience, KEEPING_MS);
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
        channel_send(vps_call_channel(ask->call), &commit) < 0) {
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
    enum goodbye_reason goodbye = channel_peer_goodbye(vps_call_channel(ask->call));
    const char *where = vps_call_where(ask->call);
    if (goodbye == GOODBYE_PAIRED && ask->confirmed) {
        vps_call_end(ask->call, 0);
    } else if (end == CHANNEL_END_AUTH) {
        vps_call_end(ask->call,
                     why_set(ask->why, -EACCES,
                             "%s does not pair gateways: it may be too old for that, or too many "
                             "ask there",
                             where));
    } else if (ask->confirmed) {
        say_unkept(ask, why->text);
    } else {
        vps_call_end(ask->call, why_set(ask->why, -EPROTO, "%s: %s", where, why->text));
    }
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed, .met = on_met};

/* ---- all of it ------------------------------------------------------------------ */

int join_ask(struct invite *invite, const struct proxy *proxy, struct why *why)
{
    struct join_ask ask = {.invite = invite, .why = why};
    const struct vps_call_request call = {.host = invite->host,
                                          .port = invite->port,
                                          .proxy = proxy,
                                          .gateway = invite->gateway,
                                          .keepalive_secs = KEEPALIVE_SECS,
                                          .events = &EVENTS,
                                          .arg = &ask,
                                          .why = why};
    int err = vps_call_new(&call, &ask.call);
    if (err == 0) {
        ask.patience = timer_new(vps_call_loop(ask.call), on_patience_over, &ask);
        err = ask.patience ? 0 : -ENOMEM;
    }
    err = err < 0 ? why_set(why, err, "cannot start: %s", strerror(-err)) : vps_call_wait(ask.call);
    timer_free(ask.patience);
    vps_call_free(ask.call);
    accord_wipe(&ask.accord);
    return err;
}
