#include "vps/gateways.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/addresses.h"
#include "base/allowance.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/listener.h"
#include "base/sieve.h"
#include "base/text.h"
#include "control/channel.h"
#include "control/tls.h"
#include "vps/admission/origin.h"
#include "vps/attendance.h"

enum {
    BACKLOG = 128,
    FALSE_START_REFILL_MS = 1000,
    /* Lines about who holds a key: all that happens in a day, but not all that can be made up. */
    LOGIN_LINES_BURST = 200,
    LOGIN_LINES_REFILL_MS = 5000,
};

/* A connection at the control port; a gateway once its channel is open. */
struct gateway {
    struct gateway *next; /* the newest one first */
    struct gateways *gateways;
    struct channel *channel;
    struct addr from;
    int64_t since_unix;
    uint64_t since_ms;
    bool open;
};

_Static_assert((int)GATEWAYS_MAX <= (int)SIEVE_CAUSES_MAX, "keys");

struct gateways {
    struct gateways_options options;
    struct keyring *keyring;
    struct tls_config *tls;
    struct listener *listener;
    struct addresses *addresses; /* this machine's; NULL: the kernel does not tell */
    struct gateway *list;
    struct attendance attendance;
    struct allowance party_starts, network_starts; /* false ones */
    /* Log lines about strangers: failures by network, and what does not hide behind them. */
    struct sieve *failures, *attacks;
    struct sieve *logins; /* about who has a key, by its number */
};

/* ---- keys ----------------------------------------------------------------- */

/* tls_key_fn */
static int key_of(void *arg, const char *identity, uint8_t ret_key[CRYPTO_KEY_SIZE])
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

static void say_stranger(struct sieve *sieve, const char *cause, const struct addr *from,
                         const char *text)
{
    char host[ADDR_HOST_MAX];
    sieve_log(sieve, cause, LOG_WARN, "control port: %s: %s", addr_host_text(from, host), text);
}

static void say_failure(struct gateways *gateways, const struct addr *from, const char *text)
{
    char network[NETWORK_TEXT_MAX], cause[NETWORK_TEXT_MAX + 32];
    snprintf(cause, sizeof cause, "control port: %s", origin_network_text(from, network));
    say_stranger(gateways->failures, cause, from, text);
}

/* ---- the list ------------------------------------------------------------- */

static void remove_gateway(struct gateway *gateway)
{
    struct gateway **at = &gateway->gateways->list;
    while (*at != gateway) {
        at = &(*at)->next;
    }
    *at = gateway->next;
    channel_free(gateway->channel);
    free(gateway);
}

struct gateway *gateways_next(const struct gateways *gateways, const struct gateway *after)
{
    struct gateway *gateway = after ? after->next : gateways->list;
    while (gateway && !gateway->open) {
        gateway = gateway->next;
    }
    return gateway;
}

struct gateway *gateways_find(const struct gateways *gateways, const char *name)
{
    struct gateway *gateway = gateways_next(gateways, NULL);
    while (gateway && strcasecmp(channel_peer_name(gateway->channel), name) != 0) {
        gateway = gateways_next(gateways, gateway);
    }
    return gateway;
}

static void add_online(const struct gateways *gateways, struct text *names)
{
    const struct gateway *gateway = NULL;
    size_t start = names->len;
    while ((gateway = gateways_next(gateways, gateway))) {
        text_add(names, "%s%s", names->len > start ? ", " : "",
                 channel_peer_name(gateway->channel));
    }
}

static int say_which(const struct gateways *gateways, struct why *why)
{
    char buffer[sizeof why->text];
    struct text names = text_over(buffer, sizeof buffer);
    add_online(gateways, &names);
    return why_set(why, -EDESTADDRREQ,
                   "Several gateways are online (%.180s). Write GATEWAY/HOST to say which one.",
                   buffer);
}

static int say_none(const struct gateways *gateways, struct why *why)
{
    char buffer[sizeof why->text];
    struct text text = text_over(buffer, sizeof buffer);
    attendance_say_all(&gateways->attendance, clock_ms(), &text);
    if (gateways_expect(gateways, "")) {
        text_add(&text, " Try again in a moment.");
    } else {
        text_add(&text, " Is gateway-agent running, and does it reach this server?");
    }
    return why_set(why, -ENOTCONN, "No gateway is online.%s", buffer);
}

/* Others are online. */
static int say_away(const struct gateways *gateways, const char *name, struct why *why)
{
    char buffer[sizeof why->text];
    struct text text = text_over(buffer, sizeof buffer);
    if (attendance_say(&gateways->attendance, name, clock_ms(), &text)) {
        return why_set(why, -ENOENT, "No gateway named %s is online. It %s.", name, buffer);
    }
    add_online(gateways, &text);
    return why_set(why, -ENOENT, "No gateway named %s is online; %.180s %s.", name, buffer,
                   strchr(buffer, ',') ? "are" : "is");
}

int gateways_pick(const struct gateways *gateways, const char *name, struct gateway **ret_gateway,
                  struct why *why)
{
    struct gateway *first = gateways_next(gateways, NULL);
    if (!first) {
        return say_none(gateways, why);
    }
    struct gateway *gateway = name[0] ? gateways_find(gateways, name) : first;
    if (!gateway) {
        return say_away(gateways, name, why);
    }
    if (!name[0] && gateways_next(gateways, first)) {
        return say_which(gateways, why);
    }
    *ret_gateway = gateway;
    return 0;
}

bool gateways_expect(const struct gateways *gateways, const char *name)
{
    bool is_here = name[0] ? gateways_find(gateways, name) != NULL
                           : gateways_next(gateways, NULL) != NULL;
    return !is_here && attendance_expects(&gateways->attendance, name, clock_ms());
}

/* ---- logging in and out --------------------------------------------------- */

static void replace_older(struct gateway *login)
{
    struct gateways *gateways = login->gateways;
    const char *name = channel_peer_name(login->channel);
    for (struct gateway *g = gateways_next(gateways, NULL), *next; g; g = next) {
        next = gateways_next(gateways, g);
        if (g != login && strcasecmp(channel_peer_name(g->channel), name) == 0) {
            channel_goodbye(g->channel, GOODBYE_REPLACED, "the same gateway logged in again");
            remove_gateway(g);
            say(gateways, LOG_WARN, name, "a new login replaces the old one");
        }
    }
}

/* Of other names, online with the key of this one; 0 if that has a name. */
static unsigned count_sharing(const struct gateways *gateways, const char *name)
{
    const struct keyring *keyring = gateways->keyring;
    int number = keyring_find(keyring, name);
    unsigned count = 0;
    if (number < 0 || gateways->options.settings->tunnel_key.keys[number].name[0]) {
        return 0;
    }
    for (struct gateway *g = gateways_next(gateways, NULL); g; g = gateways_next(gateways, g)) {
        const char *other = channel_peer_name(g->channel);
        count += strcasecmp(other, name) != 0 && keyring_find(keyring, other) == number;
    }
    return count;
}

static void say_full(struct gateways *gateways, const char *name, struct message_goodbye *answer)
{
    answer->reason = GOODBYE_FULL;
    snprintf(answer->text, sizeof answer->text,
             "%d gateways are online with the one TUNNEL_KEY that they share, which is the most",
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
             "the join string has expired at %s, before it was used; make a new one on the VPS: "
             "vps-agent --invite %s --new-key",
             clock_text(until, when), name);
    say(gateways, LOG_WARN, name,
        "turned away: the join string of gateway %s has expired at %s, before it was used; make a "
        "new one: vps-agent --invite %s --new-key (if it was used, and STATE_DIR was lost since: "
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
        remove_gateway(gateway);
        return;
    }
    gateway->open = true;
    gateway->since_unix = clock_unix();
    gateway->since_ms = clock_ms();
    say(gateway->gateways, LOG_INFO, name, "online from %s (%s)", addr_text(&gateway->from, from),
        channel_peer_program(gateway->channel));
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
    say(gateways, LOG_INFO, name, "looked from %s whether it would be let in",
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

static void count_false_start(struct gateways *gateways, const struct gateway *gateway)
{
    if (channel_peer_is_proven(gateway->channel) && !channel_is_shaken(gateway->channel)) {
        allowance_use(&gateways->party_starts, &gateway->from, clock_ms());
        allowance_use(&gateways->network_starts, &gateway->from, clock_ms());
    }
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct gateway *gateway = arg;
    struct gateways *gateways = gateway->gateways;
    char name[GATEWAY_NAME_MAX + 1];
    bool was_open = gateway->open;
    strcpy(name, channel_peer_name(gateway->channel));

    if (was_open) {
        say(gateways, LOG_WARN, name, "offline: %s", why->text);
    } else if (end == CHANNEL_END_VERSION) {
        say(gateways, LOG_ERROR, name, "%s", why->text);
    } else if (channel_peer_goodbye(gateway->channel) != GOODBYE_LOOK) {
        say_failure(gateways, &gateway->from, why->text);
    }
    count_false_start(gateways, gateway);
    remove_gateway(gateway);
    if (was_open) {
        attendance_left(&gateways->attendance, name, clock_ms());
        gateways->options.events.lost(gateways->options.events.arg, name);
    }
}

static const struct channel_events CHANNEL_EVENTS = {
    .opened = on_opened, .received = on_received, .looked = on_looked, .closed = on_closed};

/* ---- the control port ----------------------------------------------------- */

typedef bool (*alike_fn)(const struct addr *a, const struct addr *b);

static bool everybody(const struct addr *a, const struct addr *b)
{
    (void)a;
    (void)b;
    return true;
}

/* How many have not logged in, of those that are like this one. */
static unsigned count_unfinished(const struct gateways *gateways, alike_fn alike,
                                 const struct addr *addr)
{
    unsigned count = 0;
    for (const struct gateway *g = gateways->list; g; g = g->next) {
        count += !g->open && alike(&g->from, addr);
    }
    return count;
}

/*
 * Of these the crowd of the most: where the narrower likeness has the most who have shown
 * no key. NULL if all have shown one.
 */
static const struct gateway *one_of_the_most(const struct gateways *gateways, alike_fn alike,
                                             const struct addr *addr, alike_fn narrower)
{
    const struct gateway *found = NULL;
    unsigned most = 0;
    for (const struct gateway *g = gateways->list; g; g = g->next) {
        unsigned count = 0;
        if (g->open || channel_peer_is_proven(g->channel) || !alike(&g->from, addr)) {
            continue;
        }
        for (const struct gateway *o = gateways->list; o; o = o->next) {
            count += !o->open && !channel_peer_is_proven(o->channel) &&
                     narrower(&o->from, &g->from);
        }
        if (count > most) {
            most = count;
            found = g;
        }
    }
    return found;
}

/* One of those who have shown no key (or have), by chance; the oldest if chance fails. */
static struct gateway *draw(const struct gateways *gateways, alike_fn alike,
                            const struct addr *addr, bool proven)
{
    struct gateway *drawn = NULL;
    uint32_t seen = 0, chance = 0;
    for (struct gateway *g = gateways->list; g; g = g->next) {
        if (g->open || channel_peer_is_proven(g->channel) != proven || !alike(&g->from, addr)) {
            continue;
        }
        seen++;
        if (crypto_random_below(seen, &chance) < 0 || chance == 0) {
            drawn = g;
        }
    }
    return drawn;
}

static struct gateway *find_victim(const struct gateways *gateways, alike_fn alike,
                                   const struct addr *addr)
{
    const struct gateway *one = one_of_the_most(gateways, alike, addr, addr_same_network);
    if (!one) {
        return draw(gateways, alike, addr, true);
    }
    struct addr network = one->from;
    one = one_of_the_most(gateways, addr_same_network, &network, addr_same_party);
    /* Within a party that is asked about there is but that party. */
    return draw(gateways, alike == addr_same_party ? alike : addr_same_party,
                alike == addr_same_party ? addr : &one->from, false);
}

/* The newest is not in the list yet: it is never the one to go. */
static void make_room(struct gateways *gateways, const struct addr *from)
{
    static const struct {
        alike_fn alike;
        unsigned most;
    } BOUNDS[] = {
        {addr_same_party, GATEWAYS_UNFINISHED_PER_PARTY},
        {addr_same_network, GATEWAYS_UNFINISHED_PER_NETWORK},
        {everybody, GATEWAYS_UNFINISHED_MAX},
    };
    for (size_t i = 0; i < sizeof BOUNDS / sizeof *BOUNDS; i++) {
        if (count_unfinished(gateways, BOUNDS[i].alike, from) >= BOUNDS[i].most) {
            struct gateway *victim = find_victim(gateways, BOUNDS[i].alike, from);
            struct addr peer = victim->from;
            count_false_start(gateways, victim);
            remove_gateway(victim);
            say_stranger(gateways->attacks, "control port: unfinished handshakes", &peer,
                         "too many unfinished handshakes");
            return;
        }
    }
}

/* Somebody plays the beginnings of logins back, or a gateway's line breaks again and again. */
static bool starts_falsely(struct gateways *gateways, const struct addr *from)
{
    if (!allowance_is_used_up(&gateways->party_starts, from, clock_ms()) &&
        !allowance_is_used_up(&gateways->network_starts, from, clock_ms())) {
        return false;
    }
    say_stranger(gateways->attacks, "control port: unfinished logins with a right key", from,
                 "many logins began there with a right key and were not finished: not "
                 "listened to for a second");
    return true;
}

static void on_connection(void *arg, int fd, const struct addr *from)
{
    struct gateways *gateways = arg;
    if (starts_falsely(gateways, from)) {
        close(fd);
        return;
    }
    make_room(gateways, from);
    struct gateway *gateway = calloc(1, sizeof *gateway);
    struct channel_options options = {
        .self = SENDER_VPS,
        .program = "vps-agent " PAMTUNNEL_VERSION,
        .events = &CHANNEL_EVENTS,
        .arg = gateway,
    };
    if (!gateway ||
        channel_new(gateways->options.loop, gateways->tls, fd, &options, &gateway->channel) < 0) {
        free(gateway);
        close(fd);
        return;
    }
    gateway->gateways = gateways;
    gateway->from = *from;
    gateway->next = gateways->list;
    gateways->list = gateway;
}

/* The connections to it are dead: gateways are offline until they come to another one. */
static void on_address_gone(void *arg, const struct addr *addr)
{
    struct gateways *gateways = arg;
    for (struct gateway *g = gateways->list; g; g = g->next) {
        channel_lost_address(g->channel, addr);
    }
}

static int open_port(struct gateways *gateways, struct why *why)
{
    const struct vps_settings *settings = gateways->options.settings;
    int fd = net_listen(settings->bind_address, settings->control_port, BACKLOG);
    if (fd < 0) {
        return why_set(why, fd,
                       "cannot listen on CONTROL_PORT %u at BIND_ADDRESS %s: %s. Is another "
                       "vps-agent running?",
                       settings->control_port, settings->bind_address, strerror(-fd));
    }
    gateways->listener = listener_new(gateways->options.loop, fd, on_connection, gateways);
    if (!gateways->listener) {
        close(fd);
        return why_set(why, -ENOMEM, "out of memory");
    }
    return 0;
}

static int make_sieves(struct gateways *gateways)
{
    uv_loop_t *loop = gateways->options.loop;
    const struct log *log = gateways->options.log;
    gateways->failures = sieve_new(loop, log, SIEVE_BURST, SIEVE_REFILL_MS);
    gateways->attacks = sieve_new(loop, log, SIEVE_BURST, SIEVE_REFILL_MS);
    gateways->logins = sieve_new(loop, log, LOGIN_LINES_BURST, LOGIN_LINES_REFILL_MS);
    return gateways->failures && gateways->attacks && gateways->logins ? 0 : -ENOMEM;
}

int gateways_new(const struct gateways_options *options, struct gateways **ret_gateways,
                 struct why *why)
{
    struct gateways *gateways = calloc(1, sizeof *gateways);
    if (!gateways) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    gateways->options = *options;
    attendance_begin(&gateways->attendance, options->settings, clock_ms());
    gateways->party_starts = (struct allowance){.v4_bits = PARTY_V4_BITS,
                                                .v6_bits = PARTY_V6_BITS,
                                                .most = GATEWAYS_FALSE_STARTS_PER_PARTY,
                                                .refill_ms = FALSE_START_REFILL_MS};
    gateways->network_starts = (struct allowance){.v4_bits = NETWORK_V4_BITS,
                                                  .v6_bits = NETWORK_V6_BITS,
                                                  .most = GATEWAYS_FALSE_STARTS_PER_NETWORK,
                                                  .refill_ms = FALSE_START_REFILL_MS / 4};
    gateways->keyring = keyring_new(options->settings, options->store);
    int err = gateways->keyring ? make_sieves(gateways) : -ENOMEM;
    if (err < 0) {
        why_set(why, err, "out of memory");
        goto fail;
    }
    err = tls_config_server(key_of, gateways, &gateways->tls);
    if (err < 0) {
        why_set(why, err, "cannot set up TLS: %s", strerror(-err));
        goto fail;
    }
    err = open_port(gateways, why);
    if (err < 0) {
        goto fail;
    }
    struct addresses_events events = {.gone = on_address_gone, .arg = gateways};
    err = addresses_watch(options->loop, &events, &gateways->addresses);
    if (err < 0) {
        log_debug(options->log, "addresses of this machine are not watched: %s", strerror(-err));
    }
    *ret_gateways = gateways;
    return 0;

fail:
    gateways_free(gateways);
    return err;
}

void gateways_free(struct gateways *gateways)
{
    if (!gateways) {
        return;
    }
    listener_free(gateways->listener);
    addresses_free(gateways->addresses);
    while (gateways->list) {
        channel_goodbye(gateways->list->channel, GOODBYE_SHUTDOWN, "vps-agent is being stopped");
        remove_gateway(gateways->list);
    }
    tls_config_free(gateways->tls);
    keyring_free(gateways->keyring);
    sieve_free(gateways->failures);
    sieve_free(gateways->attacks);
    sieve_free(gateways->logins);
    free(gateways);
}

const struct keyring *gateways_keyring(const struct gateways *gateways)
{
    return gateways->keyring;
}

/* A user waits for a tunnel: find out soon if the gateway is gone. */
int gateway_send(struct gateway *gateway, const struct message *message)
{
    int err = channel_send(gateway->channel, message);
    if (err == 0 && message->type == MESSAGE_OPEN_TUNNEL) {
        channel_press(gateway->channel);
    }
    return err;
}

void gateway_view(const struct gateway *gateway, struct gateway_view *ret_view)
{
    *ret_view = (struct gateway_view){
        .name = channel_peer_name(gateway->channel),
        .program = channel_peer_program(gateway->channel),
        .from = gateway->from,
        .since_unix = gateway->since_unix,
        .seconds_online = (clock_ms() - gateway->since_ms) / 1000,
        .rtt_us = channel_rtt_us(gateway->channel),
    };
}
