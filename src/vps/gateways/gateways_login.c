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

/*
 * Each costs a key exchange, and anybody can ask for one: beyond that, none is taken. Of one
 * address so many as of false starts, but counted apart from those: the key is known to all, and
 * whoever shares an address with gateways (a NAT, a proxy) must not keep them out with it.
 */
static int key_of_strangers(struct gateways *gateways, int fd, unsigned nth,
                            uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    struct addr from;
    uint64_t now = clock_ms();
    if (nth > 0 || net_other_end(fd, &from) < 0 ||
        allowance_is_used_up(&gateways->party_strangers, &from, now) ||
        allowance_is_used_up(&gateways->network_strangers, &from, now) ||
        !bucket_take(&gateways->strangers, GATEWAYS_STRANGERS, GATEWAYS_STRANGERS_REFILL_MS, now)) {
        return -ENOENT;
    }
    allowance_use(&gateways->party_strangers, &from, now);
    allowance_use(&gateways->network_strangers, &from, now);
    memcpy(ret_key, TLS_STRANGER_KEY, CRYPTO_KEY_SIZE);
    return 0;
}

/* tls_key_fn */
int gateways_key_of(void *arg, int fd, const char *identity, unsigned nth,
                    uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    struct gateways *gateways = arg;
    struct keyring_view view;
    if (strcmp(identity, TLS_STRANGER) == 0) {
        return key_of_strangers(gateways, fd, nth, ret_key);
    }
    int number = keyring_find(gateways->keyring, identity, nth);
    if (number < 0) {
        return number;
    }
    keyring_view(gateways->keyring, (unsigned)number, &view);
    memcpy(ret_key, view.key, CRYPTO_KEY_SIZE);
    return 0;
}

/* The key that it has shown: its number, or -ENOENT. */
static int shown_key(const struct gateway *gateway)
{
    return keyring_find(gateway->gateways->keyring, channel_peer_name(gateway->channel),
                        channel_peer_key(gateway->channel));
}

/* ---- saying --------------------------------------------------------------- */

/* A line about a gateway, by its name. The holder of one key cannot fill the log. */
__attribute__((format(printf, 4, 5))) static void say(struct gateways *gateways,
                                                      enum log_level level, const char *name,
                                                      const char *format, ...)
{
    char line[512], cause[48];
    struct text text = text_over(line, sizeof line);
    int number = keyring_find(gateways->keyring, name, 0);
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

void gateways_say_failure(struct gateways *gateways, const struct addr *from, const char *text)
{
    char network[NETWORK_TEXT_MAX], cause[NETWORK_TEXT_MAX + 32];
    snprintf(cause, sizeof cause, "control port: %s", origin_network_text(from, network));
    gateways->failure_count++;
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

/* Of other names, online with the key that has none. */
static unsigned count_sharing(const struct gateways *gateways, const char *name)
{
    unsigned count = 0;
    for (struct gateway *g = gateways_next(gateways, NULL); g; g = gateways_next(gateways, g)) {
        count += g->shares && !gateway_name_equal(channel_peer_name(g->channel), name);
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

static void say_expired(struct gateways *gateways, const char *name, const struct keyring_view *key,
                        struct message_goodbye *answer)
{
    bool kept = key->origin != KEY_OF_SETTINGS;
    char when[CLOCK_TEXT_MAX], command[GATEWAY_NAME_MAX + 48];
    struct text text = text_over(answer->text, sizeof answer->text);
    answer->reason = GOODBYE_EXPIRED;
    clock_text(key->until, when);
    snprintf(command, sizeof command,
             kept ? "pamctl gateway rotate %s" : "vps-agent --invite %s --new-key", name);
    text_add(&text,
             "the join string expired at %s, before it was used; make a new one on the VPS: %s",
             when, command);
    say(gateways, LOG_WARN, name,
        "turned away: the join string of gateway %s expired at %s, before it was used; make a new "
        "one: %s",
        name, when, command);
    if (!kept) {
        say(gateways, LOG_WARN, name,
            "if it was used, and STATE_DIR has been lost since: take its @%lld out of TUNNEL_KEY",
            (long long)key->until);
    }
}

/*
 * Whoever has shown the key of that number may still be one too many, or too late: false, with the
 * answer.
 */
static bool may_enter(struct gateways *gateways, const char *name, int number,
                      struct message_goodbye *answer)
{
    struct keyring_view key;
    if (number < 0) { /* the settings have changed since */
        answer->reason = GOODBYE_SHUTDOWN;
        snprintf(answer->text, sizeof answer->text, "the key was taken out of TUNNEL_KEY");
        return false;
    }
    keyring_view(gateways->keyring, (unsigned)number, &key);
    /* A first use is remembered even if the gateway is then one too many: the key was shown. */
    if (keyring_use(gateways->keyring, number) < 0) {
        say_expired(gateways, name, &key, answer);
        return false;
    }
    /* A key with a name is one gateway's, so nobody shares it. */
    if (!key.gateway[0] && count_sharing(gateways, name) >= GATEWAYS_PER_SHARED_KEY) {
        say_full(gateways, name, answer);
        return false;
    }
    return true;
}

/* If one key has replaced another, what is under way with the other one begins anew. */
static void note_key(struct gateway *gateway, int number)
{
    struct gateways *gateways = gateway->gateways;
    struct keyring_view key;
    bool replaced;
    keyring_view(gateways->keyring, (unsigned)number, &key);
    keyring_id(key.key, gateway->key_id);
    gateway->shares = !key.gateway[0];
    keyring_joined(gateways->keyring, number, &replaced);
    if (replaced) {
        say(gateways, LOG_INFO, channel_peer_name(gateway->channel),
            "logged in with its new key: the one before is good for nothing any more");
        gateways_drop_unfinished(gateways);
    }
}

static void record(struct gateways *gateways, enum audit_event what, const char *name,
                   const struct addr *from, const char *why)
{
    const struct audit_entry entry = {.what = what, .gateway = name, .address = from, .why = why};
    audit_record(gateways->options.audit, &entry, NULL, NULL);
}

void gateways_note_gone(const struct gateway *gateway, const char *why)
{
    struct gateways *gateways = gateway->gateways;
    const char *name = channel_peer_name(gateway->channel);
    keyring_left(gateways->keyring, name);
    attendance_left(&gateways->attendance, name, clock_ms());
    record(gateways, AUDIT_GATEWAY_OFFLINE, name, &gateway->from, why);
}

static void on_opened(void *arg)
{
    struct gateway *gateway = arg;
    const char *name = channel_peer_name(gateway->channel);
    char from[ADDR_TEXT_MAX];
    struct message_goodbye answer = {.reason = GOODBYE_FULL};
    int number = shown_key(gateway);
    if (!may_enter(gateway->gateways, name, number, &answer)) {
        channel_goodbye(gateway->channel, (enum goodbye_reason)answer.reason, answer.text);
        gateways_remove(gateway);
        return;
    }
    gateway->open = true;
    note_key(gateway, number);
    gateways_note_name(gateway->gateways, name);
    gateway->since_unix = clock_unix();
    gateway->since_ms = clock_ms();
    say(gateway->gateways, LOG_INFO, name, "online from %s (%s)", addr_text(&gateway->from, from),
        channel_peer_program(gateway->channel));
    /* Only now, with the new one open: a sender always finds one of the two. */
    replace_older(gateway);
    attendance_came(&gateway->gateways->attendance, name, &gateway->from);
    record(gateway->gateways, AUDIT_GATEWAY_ONLINE, name, &gateway->from, NULL);
    const struct gateways_events *events = &gateway->gateways->options.events;
    events->online(events->arg, channel_peer_name(gateway->channel));
}

/* Without a key it is told whether it would be heard. */
static void look_for_stranger(const struct gateway *gateway, struct message_goodbye *ret_answer)
{
    struct text text = text_over(ret_answer->text, sizeof ret_answer->text);
    struct why why = {""};
    if (applicants_would_hear(gateway->gateways->applicants, &gateway->from, &why) < 0) {
        ret_answer->reason = GOODBYE_UNPAIRED;
        text_add(&text, "%s", why.text);
    }
}

static void on_met(void *arg)
{
    struct gateway *gateway = arg;
    gateway->met = true;
    applicants_meet(gateway->gateways->applicants, gateway->channel, &gateway->from);
}

static void on_looked(void *arg, struct message_goodbye *ret_answer)
{
    struct gateway *gateway = arg;
    struct gateways *gateways = gateway->gateways;
    const char *name = channel_peer_name(gateway->channel);
    char from[ADDR_TEXT_MAX];
    if (channel_peer_is_stranger(gateway->channel)) {
        look_for_stranger(gateway, ret_answer);
        return;
    }
    say(gateways, LOG_INFO, name, "asked from %s whether it would be let in",
        addr_text(&gateway->from, from));
    bool is_online = gateways_find(gateways, name) != NULL;
    if (may_enter(gateways, name, shown_key(gateway), ret_answer) && is_online) {
        ret_answer->reason = GOODBYE_REPLACED;
    }
}

static void on_received(void *arg, const struct message *message)
{
    struct gateway *gateway = arg;
    const struct gateways_events *events = &gateway->gateways->options.events;
    if (gateway->met) {
        applicants_take(gateway->gateways->applicants, gateway->channel, message);
        return;
    }
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
    } else if (gateway->met) {
        applicants_lost(gateways->applicants, gateway->channel);
    } else if (end == CHANNEL_END_VERSION) {
        say(gateways, LOG_ERROR, name, "%s", why->text);
    } else if (channel_peer_goodbye(gateway->channel) != GOODBYE_LOOK) {
        gateways_say_failure(gateways, &gateway->from, why->text);
    }
    if (was_open) {
        gateways_note_gone(gateway, why->text);
    }
    gateways_count_false_start(gateways, gateway);
    gateways_remove(gateway);
    if (was_open) {
        gateways->options.events.lost(gateways->options.events.arg, name);
    }
}

const struct channel_events GATEWAY_CHANNEL_EVENTS = {
    .opened = on_opened,
    .received = on_received,
    .closed = on_closed,
    .looked = on_looked,
    .met = on_met,
};
