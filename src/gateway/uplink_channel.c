/*
 * From the greeting to the end of a connection. It is open with a key; without one it is pairing,
 * which the applicant sees to, and which leads to a key or nowhere. Whatever the end, the uplink
 * rests afterwards, and there is a sentence that says what a person can do about it.
 *
 * The channel is freed inside its own closed(), the applicant inside its own failed().
 * events->lost() comes last.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/uplink_core.h"

enum { STABLE_MS = 30000 /* open for so long: the next rest is a short one again */ };

/* ---- greeting and open ----------------------------------------------------- */

static void on_opened(void *arg)
{
    struct uplink *uplink = arg;
    char address[ADDR_TEXT_MAX];

    uplink_set_state(uplink, UPLINK_OPEN);
    uplink->said[0] = '\0';
    uplink->opened_ms = clock_ms();
    uplink->logins++;
    dial_history_worked(&uplink->history, &uplink->vps);
    log_info(uplink->options.log, "connected to the VPS %s (%s, %s) as gateway %s", uplink->where,
             addr_text(&uplink->vps, address), channel_peer_program(uplink->channel),
             uplink->options.credentials->name);
    int err = credentials_prove(uplink->options.credentials);
    if (err < 0) {
        log_warn(uplink->options.log, "the key from pairing stays on trial: STATE_DIR %s: %s",
                 uplink->options.credentials->folder, strerror(-err));
    }
    uplink->options.events->opened(uplink->options.arg);
}

static void on_received(void *arg, const struct message *message)
{
    struct uplink *uplink = arg;
    if (uplink->applicant) {
        applicant_take(uplink->applicant, message);
        return;
    }
    uplink->options.events->received(uplink->options.arg, message, &uplink->vps);
}

/* Trouble that goes away only when somebody does something about it: no hurry. */
static bool rest_long(struct uplink *uplink, enum channel_end end, enum goodbye_reason goodbye,
                      const struct why *why)
{
    char trouble[sizeof uplink->said];
    struct text text = text_over(trouble, sizeof trouble);

    if (end == CHANNEL_END_GOODBYE && goodbye == GOODBYE_REPLACED) {
        text_add(&text,
                 "another gateway has logged in as \"%s\": if there are two, give each a "
                 "GATEWAY_NAME of its own",
                 uplink->options.credentials->name);
    } else if (end == CHANNEL_END_VERSION ||
               (end == CHANNEL_END_GOODBYE &&
                (goodbye == GOODBYE_VERSION || goodbye == GOODBYE_FULL ||
                 goodbye == GOODBYE_EXPIRED))) {
        text_add(&text, "%s", why->text);
    } else {
        return false;
    }
    uplink_rest(uplink, UPLINK_LONG_REST_MS, trouble);
    uplink->impatient = false;
    return true;
}

/* It ends the TLS that passes through it with its own, and our key fits neither half. */
static const char *doubt_about_proxy(const struct uplink *uplink)
{
    return uplink->proxy.host[0]
               ? ". Or the proxy looks into TLS: have it pass this server as it is"
               : "";
}

/* Whose key it is decides what a person can do. */
static void say_refused(struct uplink *uplink)
{
    struct credentials *credentials = uplink->options.credentials;
    char path[CREDENTIALS_PATH_MAX];
    switch (credentials->source) {
    case CREDENTIALS_SET:
        uplink_fail(uplink,
                    "%s does not accept our TUNNEL_KEY, or does not know the gateway \"%s\": both "
                    "sides need the same key (pamctl gateway list, on the VPS, says which it "
                    "knows; add and rotate print a new join string)%s",
                    uplink->where, uplink->options.credentials->name, doubt_about_proxy(uplink));
        break;
    case CREDENTIALS_PAIRED:
        uplink_fail(uplink,
                    "%s does not accept the key of gateway \"%s\" any more: it was removed or "
                    "replaced there, or somebody else answers in its place. To pair it anew, "
                    "remove %s, restart gateway-agent, and run pamctl gateway pair on the VPS",
                    uplink->where, uplink->options.credentials->name,
                    credentials_path(credentials, path));
        break;
    case CREDENTIALS_ON_TRIAL: /* it never came to know it */
        credentials_drop(credentials);
        uplink_fail(uplink,
                    "%s does not know the key that this gateway was paired with last: it "
                    "asks to be paired anew",
                    uplink->where);
        break;
    default:
        uplink_fail(uplink,
                    "%s does not pair gateways: it may be too old for that, or too many ask there. "
                    "Update vps-agent, or put a key into TUNNEL_KEY (gateway-agent --join)",
                    uplink->where);
    }
}

static void tell_code(struct uplink *uplink)
{
    if (uplink->options.events->waits) {
        uplink->options.events->waits(uplink->options.arg, uplink->code);
    }
}

/* It did not come to a key, or it did: then the next try logs in. */
static void rest_after_pairing(struct uplink *uplink, const char *why)
{
    char trouble[sizeof uplink->said];
    struct text text = text_over(trouble, sizeof trouble);
    bool shown = applicant_has_shown(uplink->applicant);
    text_add(&text, "not paired with %s: %s", uplink->where, why);
    applicant_free(uplink->applicant);
    uplink->applicant = NULL;
    uplink->code[0] = '\0';
    uplink->moved = false;
    if (uplink->options.credentials->source != CREDENTIALS_NONE) {
        log_info(uplink->options.log, "let in by %s; logging in with the key from that",
                 uplink->where);
        backoff_reset(&uplink->backoff);
        uplink_set_state(uplink, UPLINK_RESTING);
        timer_set(uplink->timer, 0);
    } else if (shown) {
        uplink_rest(uplink, UPLINK_LONG_REST_MS, trouble);
        uplink->impatient = false; /* another code now would be one more try for the middle */
    } else {
        uplink_rest(uplink, UPLINK_REST_MAX_MS, trouble);
    }
    tell_code(uplink);
}

static void rest_after(struct uplink *uplink, bool was_open, enum channel_end end,
                       const struct why *why)
{
    if (end == CHANNEL_END_AUTH) {
        say_refused(uplink);
    } else if (was_open) {
        uplink_fail(uplink, "lost the connection to %s: %s", uplink->where, why->text);
    } else {
        uplink_fail(uplink,
                    "%s accepts the connection but does not greet us like a vps-agent: %s%s",
                    uplink->where, why->text, doubt_about_proxy(uplink));
    }
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct uplink *uplink = arg;
    bool was_open = uplink->state == UPLINK_OPEN, paired = uplink->applicant != NULL;
    enum goodbye_reason goodbye = channel_peer_goodbye(uplink->channel);

    channel_free(uplink->channel);
    uplink->channel = NULL;
    if (paired) {
        rest_after_pairing(uplink, why->text);
        return;
    }
    if (!was_open && !uplink->moved &&
        (end == CHANNEL_END_PEER || end == CHANNEL_END_PROTOCOL || end == CHANNEL_END_TIMEOUT)) {
        dial_history_failed(&uplink->history, &uplink->vps, clock_ms());
    }
    if (uplink->moved || (was_open && clock_ms() - uplink->opened_ms >= STABLE_MS)) {
        uplink->moved = false;
        backoff_reset(&uplink->backoff);
    }
    if (!rest_long(uplink, end, goodbye, why)) {
        rest_after(uplink, was_open, end, why);
    }
    if (was_open) {
        uplink->options.events->lost(uplink->options.arg);
    }
}

/* ---- pairing ----------------------------------------------------------------- */

static void on_shown(void *arg, const char *code)
{
    struct uplink *uplink = arg;
    snprintf(uplink->code, sizeof uplink->code, "%s", code);
    tell_code(uplink);
}

static void on_pairing_failed(void *arg, const char *why)
{
    struct uplink *uplink = arg;
    channel_free(uplink->channel);
    uplink->channel = NULL;
    rest_after_pairing(uplink, why);
}

static void on_met(void *arg)
{
    struct uplink *uplink = arg;
    const struct applicant_options options = {.log = uplink->options.log,
                                              .credentials = uplink->options.credentials,
                                              .where = uplink->where,
                                              .shown = on_shown,
                                              .failed = on_pairing_failed,
                                              .arg = uplink};
    uplink_set_state(uplink, UPLINK_PAIRING);
    dial_history_worked(&uplink->history, &uplink->vps);
    uplink->applicant = applicant_new(uplink->loop, uplink->channel, &options);
    if (!uplink->applicant) {
        on_pairing_failed(uplink, "out of memory");
    }
}

const struct channel_events UPLINK_CHANNEL_EVENTS = {
    .opened = on_opened,
    .received = on_received,
    .closed = on_closed,
    .met = on_met,
};
