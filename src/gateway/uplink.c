/*
 * resting --timer--> resolving --> dialling --> greeting --> open, or pairing
 *        ^                   |            |             |          |
 *        +-------------------+------------+-------------+----------+
 *
 * Exactly one of timer, resolve, approach and channel is at work, by the state. Every failure ends
 * in rest(), which sets the timer; there is no state in which nothing will happen. Rests double up
 * to 15 s; trouble that only a person can end (a wrong version, an expired key) rests a minute.
 *
 * Without a key, each try asks to be paired (applicant). Who has said a code and was let down rests
 * a minute as well, since each code is one try for somebody in between. A key that comes of it is
 * on trial until the first login; if that is refused, it is thrown away, and the next one asks.
 *
 * Re-entrancy: the channel is freed inside its own closed() callback. events->lost() comes last,
 * when the uplink rests already and its timer is set.
 */
#include "gateway/uplink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/uplink_core.h"

enum {
    RESOLVE_MS = 10000,
    LOOK_UPS_MAX = 4, /* those that were given up run on for a while */
    DIAL_MS = 10000,
    SAY_AGAIN_MS = 10 * 60 * 1000, /* the same trouble is said so often */
};

static const char *const STATE_NAMES[] = {
    [UPLINK_RESTING] = "resting",   [UPLINK_RESOLVING] = "resolving",
    [UPLINK_DIALLING] = "dialling", [UPLINK_GREETING] = "greeting",
    [UPLINK_PAIRING] = "pairing",   [UPLINK_OPEN] = "open",
};

void uplink_set_state(struct uplink *uplink, enum uplink_state state)
{
    log_debug(uplink->options.log, "control connection: %s -> %s", STATE_NAMES[uplink->state],
              STATE_NAMES[state]);
    uplink->state = state;
}

/* ---- trouble, and resting -------------------------------------------------- */

/*
 * Says what is new at once, and what goes on rarely; what comes and goes is for the sieve. A
 * VPS in wrong hands has any number of troubles.
 */
static void say(struct uplink *uplink, const char *text, uint32_t rest_ms)
{
    uint64_t now = clock_ms();
    /* The same trouble every 15 s for a night would bury the line that matters. */
    bool goes_on = strcmp(uplink->said, text) == 0 && now - uplink->said_ms < SAY_AGAIN_MS;
    char cause[sizeof uplink->said + 32];
    snprintf(cause, sizeof cause, "control connection: %s", text);
    if (!goes_on &&
        sieve_log(uplink->sieve, cause, LOG_WARN,
                  "not connected to the VPS: %s; next try in %.1f s", text, rest_ms / 1000.0)) {
        struct text copy = text_over(uplink->said, sizeof uplink->said);
        text_add(&copy, "%s", text);
        uplink->said_ms = now;
    } else {
        log_debug(uplink->options.log, "not connected to the VPS: %s; next try in %.1f s", text,
                  rest_ms / 1000.0);
    }
}

void uplink_rest(struct uplink *uplink, uint32_t rest_ms, const char *trouble)
{
    say(uplink, trouble, rest_ms);
    uplink->impatient = true;
    uplink_set_state(uplink, UPLINK_RESTING);
    timer_set(uplink->timer, rest_ms);
}

void uplink_fail(struct uplink *uplink, const char *format, ...)
{
    char trouble[sizeof uplink->said];
    struct text text = text_over(trouble, sizeof trouble);
    va_list args;

    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    uplink_rest(uplink, backoff_next(&uplink->backoff), trouble);
}

/* ---- resolving and dialling ------------------------------------------------ */

/* If there were others, which failed before, those come first in the next try. */
static void approach_failed(struct uplink *uplink, int err, const struct why *why)
{
    /* Only the good ones were dialled: let the others have their turn. */
    for (unsigned i = 0; !uplink->dialled_all && i < uplink->dialled_count; i++) {
        dial_history_failed(&uplink->history, &uplink->dialled[i], clock_ms());
    }
    if (err == -EACCES && why->text[0]) { /* too many wrong passwords, and a proxy locks one out */
        char trouble[sizeof uplink->said];
        struct text text = text_over(trouble, sizeof trouble);
        text_add(&text, "cannot reach %s: %s", uplink->where, why->text);
        uplink_rest(uplink, UPLINK_LONG_REST_MS, trouble);
        return;
    }
    uplink_fail(uplink, "cannot reach %s: %s", uplink->where,
                why->text[0] ? why->text : strerror(-err));
}

/* Made anew for each connection: pairing changes who we are. */
static int choose_tls(struct uplink *uplink)
{
    const struct credentials *own = uplink->options.credentials;
    bool stranger = own->source == CREDENTIALS_NONE;
    tls_config_free(uplink->tls);
    uplink->tls = NULL;
    return tls_config_client(stranger ? TLS_STRANGER : own->name,
                             stranger ? TLS_STRANGER_KEY : own->key, &uplink->tls);
}

static void on_approached(void *arg, int fd, const struct addr *addr, const struct why *why)
{
    struct uplink *uplink = arg;

    uplink->approach = NULL;
    if (fd < 0) {
        approach_failed(uplink, fd, why);
        return;
    }
    net_tune(fd);
    uplink->vps = *addr;
    struct channel_options options = {
        .self = SENDER_GATEWAY,
        .keepalive_secs = uplink->options.keepalive_secs,
        .program = uplink->options.program,
        .pair = uplink->options.credentials->source == CREDENTIALS_NONE,
        .events = &UPLINK_CHANNEL_EVENTS,
        .arg = uplink,
    };
    int err = choose_tls(uplink);
    err = err < 0 ? err : channel_new(uplink->loop, uplink->tls, fd, &options, &uplink->channel);
    if (err < 0) {
        close(fd);
        uplink_fail(uplink, "cannot start talking to %s: %s", uplink->where, strerror(-err));
        return;
    }
    uplink_set_state(uplink, UPLINK_GREETING);
}

static void look_up_failed(struct uplink *uplink, int err)
{
    const char *clause = err == -ENOENT                    ? "no such name"
                         : err == -EAGAIN || err == -EBUSY ? "no name server answers"
                                                           : strerror(-err);
    bool by_proxy = uplink->proxy.host[0] != '\0';
    uplink_fail(uplink, "cannot look up %s (%s): %s",
                by_proxy ? uplink->proxy.host : uplink->options.vps_host,
                by_proxy ? uplink->proxy.variable : "VPS_HOST", clause);
}

static struct approach_way way_of(const struct uplink *uplink)
{
    return (struct approach_way){.host = uplink->options.vps_host,
                                 .proxy = &uplink->proxy,
                                 .multipath = uplink->options.multipath};
}

static void on_resolved(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct uplink *uplink = arg;

    uplink->resolve = NULL;
    if (err < 0) {
        look_up_failed(uplink, err);
        return;
    }
    memcpy(uplink->dialled, addrs, count * sizeof *addrs);
    unsigned good = dial_history_sort(&uplink->history, uplink->dialled, count, clock_ms());
    uplink->dialled_count = good > 0 ? good : count;
    uplink->dialled_all = good == count;
    const struct approach_request request = {.way = way_of(uplink),
                                             .port = uplink->options.control_port,
                                             .addrs = uplink->dialled,
                                             .count = uplink->dialled_count,
                                             .timeout_ms = DIAL_MS};
    uplink->approach = approach_start(uplink->loop, &request, on_approached, uplink);
    if (!uplink->approach) {
        uplink_fail(uplink, "out of memory");
        return;
    }
    uplink_set_state(uplink, UPLINK_DIALLING);
}

static void try_once(struct uplink *uplink)
{
    const struct approach_way way = way_of(uplink);
    uplink->resolve = resolve_start(uplink->resolver, approach_host(&way),
                                    approach_port(&way, uplink->options.control_port), RESOLVE_MS,
                                    on_resolved, uplink);
    if (!uplink->resolve) {
        uplink_fail(uplink, "out of memory");
        return;
    }
    uplink_set_state(uplink, UPLINK_RESOLVING);
}

static void on_timer(void *arg)
{
    try_once(arg);
}

/* ---- where this machine is --------------------------------------------------- */

static void on_address_gone(void *arg, const struct addr *addr)
{
    struct uplink *uplink = arg;
    /* The channel ends by on_closed(); `moved` keeps that from counting as the VPS's failure. */
    if (uplink->channel && channel_lost_address(uplink->channel, addr)) {
        uplink->moved = true;
    }
}

/* What did not work from the old one may work now; its routes take a moment. */
static void on_address_come(void *arg, const struct addr *addr)
{
    struct uplink *uplink = arg;
    (void)addr;
    if (uplink->state == UPLINK_RESTING && uplink->impatient) {
        uplink->impatient = false;
        backoff_reset(&uplink->backoff);
        timer_set(uplink->timer, UPLINK_REST_FIRST_MS / 2);
    }
}

static void watch_addresses(struct uplink *uplink)
{
    struct addresses_events events = {on_address_gone, on_address_come, uplink};
    int err = addresses_watch(uplink->loop, &events, &uplink->addresses);
    if (err < 0) {
        log_debug(uplink->options.log, "cannot watch the addresses of this machine: %s",
                  strerror(-err));
    }
}

/* ---- life ------------------------------------------------------------------ */

static void take_options(struct uplink *uplink, const struct uplink_options *options)
{
    uplink->options = *options;
    snprintf(uplink->vps_host, sizeof uplink->vps_host, "%s", options->vps_host);
    uplink->options.vps_host = uplink->vps_host;
    uplink->proxy = options->proxy ? *options->proxy : (struct proxy){.host = ""};
    uplink->options.proxy = &uplink->proxy;
    target_format(options->vps_host, options->control_port, uplink->where);
}

static void leave(struct uplink *uplink, const char *because)
{
    if (uplink->channel) {
        channel_goodbye(uplink->channel, GOODBYE_SHUTDOWN, because);
    }
    channel_free(uplink->channel);
    applicant_free(uplink->applicant);
    uplink->applicant = NULL;
    uplink->code[0] = '\0';
    resolve_cancel(uplink->resolve);
    approach_cancel(uplink->approach);
    uplink->channel = NULL;
    uplink->resolve = NULL;
    uplink->approach = NULL;
}

void uplink_move(struct uplink *uplink, const struct uplink_options *options)
{
    bool was_open = uplink_is_open(uplink);
    /* Tunnels that relay go on: their data channels do not need this connection. */
    leave(uplink, "gateway-agent has new settings");
    take_options(uplink, options);
    uplink->history = (struct dial_history){0};
    uplink->said[0] = '\0';
    backoff_reset(&uplink->backoff);
    uplink_set_state(uplink, UPLINK_RESTING);
    timer_set(uplink->timer, 0);
    if (was_open) {
        uplink->options.events->lost(uplink->options.arg);
    }
}

int uplink_new(uv_loop_t *loop, const struct uplink_options *options, struct uplink **ret_uplink)
{
    struct uplink *uplink = calloc(1, sizeof *uplink);
    if (!uplink) {
        return -ENOMEM;
    }
    uplink->loop = loop;
    take_options(uplink, options);
    uplink->backoff = (struct backoff){.first_ms = UPLINK_REST_FIRST_MS,
                                       .max_ms = UPLINK_REST_MAX_MS};

    uplink->timer = timer_new(loop, on_timer, uplink);
    uplink->sieve = sieve_new(loop, options->log, 1, SAY_AGAIN_MS);
    uplink->resolver = resolver_new(loop, LOOK_UPS_MAX);
    if (!uplink->timer || !uplink->sieve || !uplink->resolver) {
        uplink_free(uplink);
        return -ENOMEM;
    }
    watch_addresses(uplink);
    try_once(uplink);
    *ret_uplink = uplink;
    return 0;
}

void uplink_free(struct uplink *uplink)
{
    if (!uplink) {
        return;
    }
    leave(uplink, "gateway-agent stops");
    addresses_free(uplink->addresses);
    resolver_free(uplink->resolver);
    timer_free(uplink->timer);
    sieve_free(uplink->sieve);
    tls_config_free(uplink->tls);
    crypto_wipe(&uplink->proxy, sizeof uplink->proxy);
    free(uplink);
}

bool uplink_is_open(const struct uplink *uplink)
{
    return uplink->state == UPLINK_OPEN;
}

const char *uplink_code(const struct uplink *uplink)
{
    return uplink->code;
}

uint64_t uplink_rtt_us(const struct uplink *uplink)
{
    return uplink_is_open(uplink) ? channel_rtt_us(uplink->channel) : 0;
}

unsigned uplink_logins(const struct uplink *uplink)
{
    return uplink->logins;
}

int uplink_send(struct uplink *uplink, const struct message *message)
{
    return uplink_is_open(uplink) ? channel_send(uplink->channel, message) : -ENOTCONN;
}
