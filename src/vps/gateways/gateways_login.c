/*
 * From a login at the control port to the end of its channel:
 *
 *     connected --key shown, HELLO--> may_enter() --> open --closed, replaced, shut out--> gone
 *                                             \--> goodbye with the reason --> gone
 *
 * The older connection of a name is replaced before online() is told: whoever hears of it finds
 * one gateway of that name. After online() and lost() the gateway may be gone, so they come last,
 * and lost() gets a copy of the name.
 *
 * Lines about gateways are sieved by key, not by name: the holder of a key without a name
 * can make up any number of names.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/origin.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "vps/gateways/gateways_core.h"

_Static_assert((int)GATEWAYS_MAX <= (int)SIEVE_CAUSES_MAX, "keys");

/* ---- keys ----------------------------------------------------------------- */

/* tls_key_fn */
int gateways_key_of(void *arg, const char *identity, uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    const struct gateways *gateways = arg;
    int number = keyring_find(gateways->keyring, identity);
    if (number < 0) {
        return number;
    }
    memcpy(ret_key, gateways->options.settings->tunnel_key.keys[number].key, CRYPTO_KEY_SIZE);
    return 0;
}

/* ---- saying --------------------------------------------------------------- */

/* A line about a gateway, by its name. The holder of one key cannot fill the log. */
__attribute__((format(printf, 4, 5))) static void say(struct gateways *gateways,
                                                      enum log_level level, const char *name,
                                                      const char *format, ...)
{
    char line[512], cause[48];
    struct text text = text_over(line, sizeof line);
    int number = keyring_find(gateways->keyring, name);
    va_list args;
    if (number < 0) {
        return;
    }
    snprintf(cause, sizeof cause, "gateways with key number %d", number + 1);
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    sieve_log(gateways->logins, cause, level, "gateway %s: %s", name, line);
}

void gateways_say_stranger(struct sieve *sieve, const char *cause, const struct addr *from,
                           const char *text)
{
    char host[ADDR_HOST_MAX];
    sieve_log(sieve, cause, LOG_WARN, "control port: %s: %s", addr_host_text(from, host), text);
}

static void say_failure(struct gateways *gateways, const struct addr *from, const char *text)
{
    char network[NETWORK_TEXT_MAX], cause[NETWORK_TEXT_MAX + 32];
    snprintf(cause, sizeof cause, "control port: %s", origin_network_text(from, network));
    gateways_say_stranger(gateways->failures, cause, from, text);
}

/* ---- logging in and out --------------------------------------------------- */

static void replace_older(struct gateway *login)
{
    struct gateways *gateways = login->gateways;
    const char *name = channel_peer_name(login->channel);
    for (struct gateway *g = gateways_next(gateways, NULL), *next; g; g = next) {
        next = gateways_next(gateways, g);
        if (g != login && gateway_name_equal(channel_peer_name(g->channel), name)) {
            channel_goodbye(g->channel, GOODBYE_REPLACED, "the same gateway logged in again");
            gateways_remove(g);
            say(gateways, LOG_WARN, name, "a new login replaces the old one");
        }
    }
}

/* Of other names, online with the key of this one; 0 if that has a name. */
static unsigned count_sharing(const struct gateways *gateways, const char *name)
{
    const struct keyring *keyring = gateways->keyring;
    /* A key with a name is one gateway's, so nobody shares it. */
    int number = keyring_find(keyring, name);
    unsigned count = 0;
    if (number < 0 || gateways->options.settings->tunnel_key.keys[number].name[0]) {
        return 0;
    }
    for (struct gateway *g = gateways_next(gateways, NULL); g; g = gateways_next(gateways, g)) {
        const char *other = channel_peer_name(g->channel);
        count += !gateway_name_equal(other, name) && keyring_find(keyring, other) == number;
    }
    return count;
}

static void say_full(struct gateways *gateways, const char *name, struct message_goodbye *answer)
{
    answer->reason = GOODBYE_FULL;
    snprintf(answer->text, sizeof answer->text,
             "%d gateways are online with the one TUNNEL_KEY that they share, which is the limit",
             GATEWAYS_PER_SHARED_KEY);
    say(gateways, LOG_WARN, name,
        "turned away: %s; give each gateway a key of its own (vps-agent --invite NAME)",
        answer->text);
}

static void say_expired(struct gateways *gateways, const char *name, int64_t until,
                        struct message_goodbye *answer)
{
    char when[CLOCK_TEXT_MAX];
    struct text text = text_over(answer->text, sizeof answer->text);
    answer->reason = GOODBYE_EXPIRED;
    text_add(&text,
             "the join string expired at %s, before it was used; make a new one on the VPS: "
             "vps-agent --invite %s --new-key",
             clock_text(until, when), name);
    say(gateways, LOG_WARN, name,
        "turned away: the join string of gateway %s expired at %s, before it was used; make a new "
        "one: vps-agent --invite %s --new-key (if it was used, and STATE_DIR has been lost since: "
        "take its @%lld out of TUNNEL_KEY)",
        name, when, name, (long long)until);
}

/* Whoever has shown a key may still be one too many, or too late: false, with the answer. */
static bool may_enter(struct gateways *gateways, const char *name, struct message_goodbye *answer)
{
    int number = keyring_find(gateways->keyring, name);
    if (number < 0) { /* the settings have changed since */
        answer->reason = GOODBYE_SHUTDOWN;
        snprintf(answer->text, sizeof answer->text, "the key was taken out of TUNNEL_KEY");
        return false;
    }
    /* A first use is remembered even if the gateway is then one too many: the key was shown. */
    if (keyring_use(gateways->keyring, number) < 0) {
        say_expired(gateways, name, gateways->options.settings->tunnel_key.keys[number].until,
                    answer);
        return false;
    }
    if (count_sharing(gateways, name) >= GATEWAYS_PER_SHARED_KEY) {
        say_full(gateways, name, answer);
        return false;
    }
    return true;
}

static void on_opened(void *arg)
{
    struct gateway *gateway = arg;
    const char *name = channel_peer_name(gateway->channel);
    char from[ADDR_TEXT_MAX];
    struct message_goodbye answer = {.reason = GOODBYE_FULL};
    if (!may_enter(gateway->gateways, name, &answer)) {
        channel_goodbye(gateway->channel, (enum goodbye_reason)answer.reason, answer.text);
        gateways_remove(gateway);
        return;
    }
    gateway->open = true;
    gateways_note_name(gateway->gateways, name);
    gateway->since_unix = clock_unix();
    gateway->since_ms = clock_ms();
    say(gateway->gateways, LOG_INFO, name, "online from %s (%s)", addr_text(&gateway->from, from),
        channel_peer_program(gateway->channel));
    /* Only now, with the new one open: a sender always finds one of the two. */
    replace_older(gateway);
    attendance_came(&gateway->gateways->attendance, name, &gateway->from);
    const struct gateways_events *events = &gateway->gateways->options.events;
    events->online(events->arg, channel_peer_name(gateway->channel));
}

static void on_looked(void *arg, struct message_goodbye *ret_answer)
{
    struct gateway *gateway = arg;
    struct gateways *gateways = gateway->gateways;
    const char *name = channel_peer_name(gateway->channel);
    char from[ADDR_TEXT_MAX];
    say(gateways, LOG_INFO, name, "asked from %s whether it would be let in",
        addr_text(&gateway->from, from));
    bool is_online = gateways_find(gateways, name) != NULL;
    if (may_enter(gateways, name, ret_answer) && is_online) {
        ret_answer->reason = GOODBYE_REPLACED;
    }
}

static void on_received(void *arg, const struct message *message)
{
    struct gateway *gateway = arg;
    const struct gateways_events *events = &gateway->gateways->options.events;
    events->received(events->arg, channel_peer_name(gateway->channel), message);
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct gateway *gateway = arg;
    struct gateways *gateways = gateway->gateways;
    char name[GATEWAY_NAME_MAX + 1];
    bool was_open = gateway->open;
    /* A copy: it is the channel's, which is freed before the last use. */
    strcpy(name, channel_peer_name(gateway->channel));

    if (was_open) {
        say(gateways, LOG_WARN, name, "offline: %s", why->text);
    } else if (end == CHANNEL_END_VERSION) {
        say(gateways, LOG_ERROR, name, "%s", why->text);
    } else if (channel_peer_goodbye(gateway->channel) != GOODBYE_LOOK) {
        gateways->failure_count++;
        say_failure(gateways, &gateway->from, why->text);
    }
    gateways_count_false_start(gateways, gateway);
    gateways_remove(gateway);
    if (was_open) {
        attendance_left(&gateways->attendance, name, clock_ms());
        gateways->options.events.lost(gateways->options.events.arg, name);
    }
}

const struct channel_events GATEWAY_CHANNEL_EVENTS = {
    .opened = on_opened, .received = on_received, .looked = on_looked, .closed = on_closed};

/* ---- other keys -------------------------------------------------------------- */

/* Its key is another one, or there is none any more. */
void gateway_shut_out(struct gateway *gateway)
{
    struct gateways *gateways = gateway->gateways;
    char name[GATEWAY_NAME_MAX + 1];
    strcpy(name, channel_peer_name(gateway->channel));
    const char *text = key_list_find(&gateways->options.settings->tunnel_key, name)
                           ? "this gateway has another TUNNEL_KEY now"
                           : "this gateway has no TUNNEL_KEY any more";
    log_warn(gateways->options.log, "gateway %s: offline: %s", name, text);
    channel_goodbye(gateway->channel, GOODBYE_SHUTDOWN, text);
    gateways_remove(gateway);
    attendance_left(&gateways->attendance, name, clock_ms());
    gateways->options.events.lost(gateways->options.events.arg, name);
}
