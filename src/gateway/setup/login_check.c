/*
 * A call whose channel announces that it only looks (`look`), so that vps-agent checks key, name
 * and version as for a login, and ends it there: who is online stays so.
 */
#include "gateway/setup/login_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/setup/vps_call.h"

enum { KEEPALIVE_SECS = 30 };

struct login_check {
    const struct login_check_request *request;
    struct login_check_result result;
    struct why *why;
    struct vps_call *call;
};

/* ---- what it is told ------------------------------------------------------ */

static bool through_proxy(const struct login_check *check)
{
    return check->request->proxy && check->request->proxy->host[0];
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
                       vps_call_where(check->call), check->request->gateway_name);
    }
    if (through_proxy(check)) {
        return why_set(
            check->why, -EACCES,
            "%s does not accept the key, or does not know the gateway \"%s\", or the "
            "proxy looks into TLS: have it pass this server as it is, and see there what "
            "pamctl gateway list says",
            vps_call_where(check->call), check->request->gateway_name);
    }
    return why_set(check->why, -EACCES,
                   "%s does not accept the key, or does not know the gateway \"%s\": if the key is "
                   "new, have vps-agent read it (sudo pamctl reload there); otherwise make a new "
                   "join string there with pamctl gateway add or rotate, or with vps-agent "
                   "--invite %s if its key is in TUNNEL_KEY",
                   vps_call_where(check->call), check->request->gateway_name,
                   check->request->gateway_name);
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
    const struct channel *channel = vps_call_channel(check->call);
    const char *program = channel_peer_program(channel);
    enum goodbye_reason goodbye = channel_peer_goodbye(channel);
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
        vps_call_end(check->call, 0);
    } else if (end == CHANNEL_END_AUTH) {
        vps_call_end(check->call, say_auth(check));
    } else if (goodbye == GOODBYE_EXPIRED) {
        vps_call_end(check->call, why_set(check->why, -EKEYEXPIRED, "%s", why->text));
    } else if (goodbye == GOODBYE_FULL) {
        vps_call_end(check->call, why_set(check->why, -EDQUOT,
                                          "the VPS turns this gateway away: %s", why->text));
    } else if (end == CHANNEL_END_VERSION || goodbye == GOODBYE_VERSION) {
        vps_call_end(check->call, why_set(check->why, -EPROTONOSUPPORT, "%s", why->text));
    } else {
        vps_call_end(check->call,
                     why_set(check->why, -EPROTO,
                             "what listens on %s does not answer like a vps-agent: %s; is "
                             "the port right%s?",
                             vps_call_where(check->call), why->text,
                             through_proxy(check)
                                 ? ", and does the proxy pass TLS to it without looking into it"
                                 : ""));
    }
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

/* ---- all of it ------------------------------------------------------------ */

int login_check(const struct login_check_request *request, struct login_check_result *ret_result,
                struct why *why)
{
    struct login_check check = {.request = request, .why = why};
    const struct vps_call_request call = {.host = request->vps_host,
                                          .port = request->control_port,
                                          .proxy = request->proxy,
                                          .family = request->family,
                                          .gateway = request->gateway_name,
                                          .key = request->key,
                                          .look = true,
                                          .keepalive_secs = KEEPALIVE_SECS,
                                          .events = &EVENTS,
                                          .arg = &check,
                                          .why = why};
    int err = vps_call_new(&call, &check.call);
    if (err < 0) {
        return why_set(why, err, "cannot start: %s", strerror(-err));
    }
    err = vps_call_wait(check.call);
    if (err == 0) {
        check.result.vps = *vps_call_address(check.call);
        *ret_result = check.result;
    }
    vps_call_free(check.call);
    return err;
}
