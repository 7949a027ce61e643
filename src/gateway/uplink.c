/*
 * resting --timer--> resolving --> dialling --> greeting --> open
 *        ^                   |            |             |          |
 *        +-------------------+------------+-------------+----------+
 *
 * Exactly one of timer, resolve, dial and channel is at work, by the state. Every failure ends in
 * rest(), which sets the timer; there is no state in which nothing will happen. Rests double up
 * to 15 s; trouble that only a person can end (a wrong version, an expired key) rests a minute.
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

#include "base/addresses.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/dial.h"
#include "base/dial_history.h"
#include "base/host.h"
#include "base/resolve.h"
#include "base/sieve.h"
#include "base/text.h"
#include "base/timer.h"
#include "control/channel.h"
#include "control/tls.h"
#include "shared/gateway_name.h"

/*
 * The policy of the connection. Its one timer means that it is time to try again
 * (resting). channel.h has the deadline of the greeting and the keepalive.
 */
enum {
    RESOLVE_MS = 10000,
    LOOK_UPS_MAX = 4, /* those that were given up run on for a while */
    DIAL_MS = 10000,
    REST_FIRST_MS = 1000,
    REST_MAX_MS = 15000, /* somebody may be waiting for a machine behind this gateway */
    LONG_REST_MS = 60000,
    STABLE_MS = 30000,             /* open for so long: the next rest is a short one again */
    SAY_AGAIN_MS = 10 * 60 * 1000, /* the same trouble is said so often */
};

enum uplink_state { STATE_RESTING, STATE_RESOLVING, STATE_DIALLING, STATE_GREETING, STATE_OPEN };

static const char *const STATE_NAMES[] = {
    [STATE_RESTING] = "resting",   [STATE_RESOLVING] = "resolving", [STATE_DIALLING] = "dialling",
    [STATE_GREETING] = "greeting", [STATE_OPEN] = "open",
};

struct uplink {
    uv_loop_t *loop;
    struct uplink_options options; /* the names are these: */
    char vps_host[HOST_MAX + 1], gateway_name[GATEWAY_NAME_MAX + 1];
    enum uplink_state state;
    struct tls_config *tls;
    struct timer *timer;
    struct resolver *resolver; /* its own: targets' look-ups do not get into its way */
    struct resolve *resolve;
    struct dial *dial;
    struct channel *channel;
    struct backoff backoff;
    struct dial_history history; /* of the addresses of VPS_HOST */
    struct addresses *addresses; /* this machine's; NULL: the kernel does not tell */
    bool impatient;              /* resting for something that a new address may change */
    bool moved;                  /* the connection ends since its own address is gone */
    struct addr dialled[RESOLVE_MAX];
    unsigned dialled_count;
    bool dialled_all;            /* that VPS_HOST has */
    struct addr vps;             /* since the dial succeeded */
    char where[TARGET_TEXT_MAX]; /* VPS_HOST:CONTROL_PORT */
    uint64_t opened_ms;
    unsigned logins;
    char said[400]; /* to be wrong, since it was open last; and when */
    uint64_t said_ms;
    struct sieve *sieve;
};

static void uplink_set_state(struct uplink *uplink, enum uplink_state state)
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

static void rest(struct uplink *uplink, uint32_t rest_ms, const char *trouble)
{
    say(uplink, trouble, rest_ms);
    uplink->impatient = true;
    uplink_set_state(uplink, STATE_RESTING);
    timer_set(uplink->timer, rest_ms);
}

__attribute__((format(printf, 2, 3))) static void uplink_fail(struct uplink *uplink,
                                                              const char *format, ...)
{
    char trouble[sizeof uplink->said];
    struct text text = text_over(trouble, sizeof trouble);
    va_list args;

    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    rest(uplink, backoff_next(&uplink->backoff), trouble);
}

/* ---- greeting and open ----------------------------------------------------- */

static void on_opened(void *arg)
{
    struct uplink *uplink = arg;
    char address[ADDR_TEXT_MAX];

    uplink_set_state(uplink, STATE_OPEN);
    uplink->said[0] = '\0';
    uplink->opened_ms = clock_ms();
    uplink->logins++;
    dial_history_worked(&uplink->history, &uplink->vps);
    log_info(uplink->options.log, "connected to the VPS %s (%s, %s) as gateway %s", uplink->where,
             addr_text(&uplink->vps, address), channel_peer_program(uplink->channel),
             uplink->options.gateway_name);
    uplink->options.events->opened(uplink->options.arg);
}

static void on_received(void *arg, const struct message *message)
{
    struct uplink *uplink = arg;
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
                 uplink->options.gateway_name);
    } else if (end == CHANNEL_END_VERSION ||
               (end == CHANNEL_END_GOODBYE &&
                (goodbye == GOODBYE_VERSION || goodbye == GOODBYE_FULL ||
                 goodbye == GOODBYE_EXPIRED))) {
        text_add(&text, "%s", why->text);
    } else {
        return false;
    }
    rest(uplink, LONG_REST_MS, trouble);
    uplink->impatient = false;
    return true;
}

static void rest_after(struct uplink *uplink, bool was_open, enum channel_end end,
                       const struct why *why)
{
    if (end == CHANNEL_END_AUTH) {
        uplink_fail(
            uplink,
            "%s does not accept our TUNNEL_KEY, or does not know the gateway \"%s\": both "
            "sides need the same key (pamctl gateway list, on the VPS, says which it knows; "
            "add and rotate print a new join string)",
            uplink->where, uplink->options.gateway_name);
    } else if (was_open) {
        uplink_fail(uplink, "lost the connection to %s: %s", uplink->where, why->text);
    } else {
        uplink_fail(uplink, "%s accepts the connection but does not greet us like a vps-agent: %s",
                    uplink->where, why->text);
    }
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct uplink *uplink = arg;
    bool was_open = uplink->state == STATE_OPEN;
    enum goodbye_reason goodbye = channel_peer_goodbye(uplink->channel);

    channel_free(uplink->channel);
    uplink->channel = NULL;
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

static const struct channel_events CHANNEL_EVENTS = {
    .opened = on_opened,
    .received = on_received,
    .closed = on_closed,
};

/* ---- resolving and dialling ------------------------------------------------ */

/* If there were others, which failed before, those come first in the next try. */
static void dial_failed(struct uplink *uplink, int err)
{
    /* Only the good ones were dialled: let the others have their turn. */
    for (unsigned i = 0; !uplink->dialled_all && i < uplink->dialled_count; i++) {
        dial_history_failed(&uplink->history, &uplink->dialled[i], clock_ms());
    }
    uplink_fail(uplink, "cannot reach %s: %s", uplink->where, strerror(-err));
}

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct uplink *uplink = arg;

    uplink->dial = NULL;
    if (fd < 0) {
        dial_failed(uplink, fd);
        return;
    }
    net_tune(fd);
    uplink->vps = *addr;
    struct channel_options options = {
        .self = SENDER_GATEWAY,
        .keepalive_secs = uplink->options.keepalive_secs,
        .program = uplink->options.program,
        .events = &CHANNEL_EVENTS,
        .arg = uplink,
    };
    int err = channel_new(uplink->loop, uplink->tls, fd, &options, &uplink->channel);
    if (err < 0) {
        close(fd);
        uplink_fail(uplink, "cannot start talking to %s: %s", uplink->where, strerror(-err));
        return;
    }
    uplink_set_state(uplink, STATE_GREETING);
}

static void look_up_failed(struct uplink *uplink, int err)
{
    const char *clause = err == -ENOENT                    ? "no such name"
                         : err == -EAGAIN || err == -EBUSY ? "no name server answers"
                                                           : strerror(-err);
    uplink_fail(uplink, "cannot look up %s (VPS_HOST): %s", uplink->options.vps_host, clause);
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
    uplink->dial = dial_start(uplink->loop, uplink->dialled, uplink->dialled_count, DIAL_MS, false,
                              on_dialled, uplink);
    if (!uplink->dial) {
        uplink_fail(uplink, "out of memory");
        return;
    }
    uplink_set_state(uplink, STATE_DIALLING);
}

static void try_once(struct uplink *uplink)
{
    uplink->resolve = resolve_start(uplink->resolver, uplink->options.vps_host,
                                    uplink->options.control_port, RESOLVE_MS, on_resolved, uplink);
    if (!uplink->resolve) {
        uplink_fail(uplink, "out of memory");
        return;
    }
    uplink_set_state(uplink, STATE_RESOLVING);
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
    if (uplink->state == STATE_RESTING && uplink->impatient) {
        uplink->impatient = false;
        backoff_reset(&uplink->backoff);
        timer_set(uplink->timer, REST_FIRST_MS / 2);
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

/* The key is in the TLS configuration. */
static void take_options(struct uplink *uplink, const struct uplink_options *options)
{
    uplink->options = *options;
    uplink->options.key = NULL;
    snprintf(uplink->vps_host, sizeof uplink->vps_host, "%s", options->vps_host);
    snprintf(uplink->gateway_name, sizeof uplink->gateway_name, "%s", options->gateway_name);
    uplink->options.vps_host = uplink->vps_host;
    uplink->options.gateway_name = uplink->gateway_name;
    target_format(options->vps_host, options->control_port, uplink->where);
}

static void leave(struct uplink *uplink, const char *because)
{
    if (uplink->channel) {
        channel_goodbye(uplink->channel, GOODBYE_SHUTDOWN, because);
    }
    channel_free(uplink->channel);
    resolve_cancel(uplink->resolve);
    dial_cancel(uplink->dial);
    uplink->channel = NULL;
    uplink->resolve = NULL;
    uplink->dial = NULL;
}

int uplink_move(struct uplink *uplink, const struct uplink_options *options)
{
    struct tls_config *tls;
    /* The one step that can fail comes first: a reload is all or nothing. */
    bool was_open = uplink_is_open(uplink);
    int err = tls_config_client(options->gateway_name, options->key, &tls);
    if (err < 0) {
        return err;
    }
    /* Tunnels that relay go on: their data channels do not need this connection. */
    leave(uplink, "gateway-agent has new settings");
    tls_config_free(uplink->tls);
    uplink->tls = tls;
    take_options(uplink, options);
    uplink->history = (struct dial_history){0};
    uplink->said[0] = '\0';
    backoff_reset(&uplink->backoff);
    uplink_set_state(uplink, STATE_RESTING);
    timer_set(uplink->timer, 0);
    if (was_open) {
        uplink->options.events->lost(uplink->options.arg);
    }
    return 0;
}

int uplink_new(uv_loop_t *loop, const struct uplink_options *options, struct uplink **ret_uplink)
{
    struct uplink *uplink = calloc(1, sizeof *uplink);
    if (!uplink) {
        return -ENOMEM;
    }
    uplink->loop = loop;
    take_options(uplink, options);
    uplink->backoff = (struct backoff){.first_ms = REST_FIRST_MS, .max_ms = REST_MAX_MS};

    int err = tls_config_client(options->gateway_name, options->key, &uplink->tls);
    if (err < 0) {
        goto fail;
    }
    uplink->timer = timer_new(loop, on_timer, uplink);
    uplink->sieve = sieve_new(loop, options->log, 1, SAY_AGAIN_MS);
    uplink->resolver = resolver_new(loop, LOOK_UPS_MAX);
    if (!uplink->timer || !uplink->sieve || !uplink->resolver) {
        err = -ENOMEM;
        goto fail;
    }
    watch_addresses(uplink);
    try_once(uplink);
    *ret_uplink = uplink;
    return 0;

fail:
    uplink_free(uplink);
    return err;
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
    free(uplink);
}

bool uplink_is_open(const struct uplink *uplink)
{
    return uplink->state == STATE_OPEN;
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
