/*
 *     looking -> waking -> awake, or failed
 *
 * While looking, the name is looked up once, so that nothing is sent for a machine that the list
 * does not allow; that it resolves to nothing does not matter, since a machine that sleeps may have
 * taken its name with it. While waking, one timer beats every second: it sends the packets, begins
 * the tries (reach.h, with a look-up each), and ends it when the patience is over.
 *
 * A wake ends by sending its answer, last of all: it is gone by then.
 */
#include "gateway/waker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/list.h"
#include "base/timer.h"
#include "gateway/failure.h"
#include "gateway/magic.h"
#include "gateway/reach.h"

enum { BEAT_MS = 1000, LOOK_UP_MS = 2000, TRY_EVERY_MS = 2000 };

/* The beats at which a packet goes: cards miss some, and switches learn where they are. */
static const unsigned PACKETS_AT[] = {0, 1, 3};

struct wake {
    struct list home;
    struct waker *waker;
    struct message_wake command;
    char target[TARGET_TEXT_MAX];
    struct resolve *resolve;
    struct reach *reach;
    struct timer *beat;
    unsigned beats;
    uint64_t began_ms, tried_ms;
    uint64_t refused_ms; /* since when it refuses, 0: it does not */
    struct failure last; /* of the latest try */
};

struct waker {
    struct waker_options options;
    struct list wakes;
    unsigned count;
    struct bucket begun;
};

/* ---- answers ---------------------------------------------------------------- */

static void wake_free(struct wake *wake)
{
    list_remove(&wake->home);
    wake->waker->count--;
    resolve_cancel(wake->resolve);
    reach_cancel(wake->reach);
    timer_free(wake->beat);
    free(wake);
}

static void send_failed(struct waker *waker, uint64_t session, const struct failure *failure)
{
    struct message message = {.type = MESSAGE_TUNNEL_FAILED};
    message.tunnel_failed.session = session;
    message.tunnel_failed.reason = (uint8_t)failure->reason;
    snprintf(message.tunnel_failed.detail, sizeof message.tunnel_failed.detail, "%s",
             failure->detail);
    waker->options.send(waker->options.arg, &message);
}

static void log_end(const struct wake *wake, const char *how)
{
    sieve_log(wake->waker->options.lines, "waking", LOG_INFO, "waking %s: %s after %" PRIu64 " s",
              wake->target, how, (clock_ms() - wake->began_ms) / 1000);
}

static void fail(struct wake *wake, const struct failure *failure)
{
    const struct failure why = *failure; /* it may be the wake's own */
    struct waker *waker = wake->waker;
    uint64_t session = wake->command.session;
    log_end(wake, why.detail);
    wake_free(wake);
    send_failed(waker, session, &why);
}

static void succeed(struct wake *wake, const struct addr *addr)
{
    struct waker *waker = wake->waker;
    struct message message = {.type = MESSAGE_AWAKE, .awake.session = wake->command.session};
    addr_text(addr, message.awake.address);
    reachable_note(waker->options.reachable, addr);
    log_end(wake, "it answers");
    wake_free(wake);
    waker->options.send(waker->options.arg, &message);
}

static struct failure not_allowed(const struct wake *wake)
{
    return failure_make(TUNNEL_NOT_ALLOWED,
                        "%.100s is not among the ALLOWED_TARGETS of this gateway", wake->target);
}

/* ---- waking ------------------------------------------------------------------- */

static bool refuses_for_good(struct wake *wake, const struct failure *failure)
{
    if (failure->reason != TUNNEL_REFUSED) {
        wake->refused_ms = 0;
        return false;
    }
    wake->refused_ms = wake->refused_ms ? wake->refused_ms : clock_ms();
    return clock_ms() - wake->refused_ms >= WAKE_REFUSALS_S * 1000;
}

static void on_tried(void *arg, const struct failure *failure, const struct reach_result *result)
{
    struct wake *wake = arg;
    wake->reach = NULL;
    if (!failure) {
        succeed(wake, &result->addrs[0]);
    } else if (failure->reason == TUNNEL_NOT_ALLOWED || refuses_for_good(wake, failure)) {
        fail(wake, failure);
    } else {
        wake->last = *failure;
    }
}

static void try(struct wake *wake)
{
    const struct waker_options *options = &wake->waker->options;
    const struct reach_request request = {.host = wake->command.host,
                                          .port = wake->command.port,
                                          .allowed = options->allowed,
                                          .resolver = options->resolver,
                                          .searches = options->searches,
                                          .probe = true};
    wake->tried_ms = clock_ms();
    wake->reach = reach_start(options->loop, &request, on_tried, wake);
}

/* Without a network to send it to, trying the port is all that can be done. */
static void send_packet(const struct wake *wake)
{
    int count = magic_send(wake->command.mac);
    if (count < 0) {
        sieve_log(wake->waker->options.lines, "waking", LOG_WARN,
                  "waking %s: the packet could not be sent into any network: %s", wake->target,
                  strerror(-count));
    }
}

static void on_beat(void *arg)
{
    struct wake *wake = arg;
    uint64_t now_ms = clock_ms();
    if (now_ms - wake->began_ms >= wake->command.patience_secs * UINT64_C(1000)) {
        fail(wake, &wake->last);
        return;
    }
    for (size_t i = 0; i < sizeof PACKETS_AT / sizeof *PACKETS_AT; i++) {
        if (wake->beats == PACKETS_AT[i]) {
            send_packet(wake);
        }
    }
    if (!wake->reach && (wake->beats == 0 || now_ms - wake->tried_ms >= TRY_EVERY_MS)) {
        try(wake);
    }
    wake->beats++;
    timer_set(wake->beat, BEAT_MS);
}

/* ---- looking -------------------------------------------------------------------- */

static bool allows_one(const struct wake *wake, const struct addr *addrs, unsigned count)
{
    const struct targets *allowed = wake->waker->options.allowed;
    if (targets_allow_name(allowed, wake->command.host, wake->command.port)) {
        return true;
    }
    for (unsigned i = 0; i < count; i++) {
        if (targets_allow_addr(allowed, &addrs[i])) {
            return true;
        }
    }
    return false;
}

static void on_looked_up(void *arg, int err, const struct addr *addrs, unsigned count)
{
    struct wake *wake = arg;
    wake->resolve = NULL;
    if (err == 0 && !allows_one(wake, addrs, count)) {
        struct failure failure = not_allowed(wake);
        fail(wake, &failure);
        return;
    }
    on_beat(wake);
}

/* ---- commands ------------------------------------------------------------------- */

static struct wake *find(const struct waker *waker, uint64_t session)
{
    list_each (struct wake, wake, &waker->wakes, home) {
        if (wake->command.session == session) {
            return wake;
        }
    }
    return NULL;
}

/* The VPS has checked some of this too, if it is in honest hands. */
static int check(struct waker *waker, const struct message_wake *command,
                 struct failure *ret_failure)
{
    const struct targets *allowed = waker->options.allowed;
    bool valid = host_kind(command->host) != HOST_INVALID && command->port != 0 &&
                 mac_is_one(command->mac) && command->patience_secs != 0 &&
                 command->patience_secs <= WAKE_PATIENCE_MAX_S;
    if (!valid || find(waker, command->session)) {
        *ret_failure = failure_make(TUNNEL_ERROR, "the VPS sent an invalid command to wake");
    } else if (!targets_might_allow(allowed, command->host, command->port)) {
        *ret_failure = failure_make(TUNNEL_NOT_ALLOWED,
                                    "%.100s is not among the ALLOWED_TARGETS of this gateway",
                                    command->host);
    } else if (waker->count == WAKES_MAX ||
               !bucket_take(&waker->begun, WAKES_BURST, WAKES_REFILL_MS, clock_ms())) {
        *ret_failure = failure_make(TUNNEL_BUSY, "the gateway is waking too many machines already");
    } else {
        return 0;
    }
    return -EINVAL;
}

static int begin(struct waker *waker, const struct message_wake *command)
{
    struct wake *wake = calloc(1, sizeof *wake);
    if (!wake) {
        return -ENOMEM;
    }
    wake->waker = waker;
    wake->command = *command;
    wake->began_ms = clock_ms();
    target_format(command->host, command->port, wake->target);
    wake->last = failure_of_target(-ETIMEDOUT, wake->target);
    list_append(&waker->wakes, &wake->home);
    waker->count++;
    wake->beat = timer_new(waker->options.loop, on_beat, wake);
    if (wake->beat) {
        wake->resolve = resolve_start(waker->options.resolver, command->host, command->port,
                                      LOOK_UP_MS, on_looked_up, wake);
    }
    if (!wake->resolve) {
        wake_free(wake);
        return -ENOMEM;
    }
    char mac[MAC_TEXT_SIZE];
    sieve_log(waker->options.lines, "waking", LOG_INFO, "waking %s, MAC address %s, for %u s",
              wake->target, mac_text(command->mac, mac), command->patience_secs);
    return 0;
}

void waker_wake(struct waker *waker, const struct message_wake *command)
{
    struct failure failure;
    int err = check(waker, command, &failure);
    if (err == 0 && (err = begin(waker, command)) < 0) {
        failure = failure_make(TUNNEL_BUSY, "the gateway cannot wake it: %s", strerror(-err));
    }
    if (err < 0) {
        sieve_log(waker->options.lines, "waking", LOG_WARN, "waking %s, port %u: refused: %s",
                  command->host, command->port, failure.detail);
        send_failed(waker, command->session, &failure);
    }
}

void waker_close(struct waker *waker, uint64_t session)
{
    struct wake *wake = find(waker, session);
    if (wake) {
        log_end(wake, "nobody wants it any more");
        wake_free(wake);
    }
}

void waker_close_all(struct waker *waker)
{
    list_each (struct wake, wake, &waker->wakes, home) {
        log_end(wake, "the VPS that asked is gone");
        wake_free(wake);
    }
}

/* ---- life ------------------------------------------------------------------------ */

struct waker *waker_new(const struct waker_options *options)
{
    struct waker *waker = calloc(1, sizeof *waker);
    if (waker) {
        waker->options = *options;
        list_init(&waker->wakes);
    }
    return waker;
}

void waker_free(struct waker *waker)
{
    if (waker) {
        waker_close_all(waker);
        free(waker);
    }
}
