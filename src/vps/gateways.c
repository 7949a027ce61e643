#include "vps/gateways.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/listener.h"
#include "base/text.h"
#include "control/channel.h"
#include "control/tls.h"

enum { BACKLOG = 128 };

/* A connection at the control port; a gateway once its channel is open. */
struct gateway {
    struct gateway *next; /* the newest one first */
    struct gateways *gateways;
    struct channel *channel;
    struct addr from;
    int64_t since_unix;
    bool open;
};

struct gateways {
    struct gateways_options options;
    struct tls_config *tls;
    struct listener *listener;
    struct gateway *list;
    struct log_sieve strangers; /* log lines about failed logins */
};

static const struct log *log_of(const struct gateways *gateways)
{
    return gateways->options.log;
}

/* ---- keys ----------------------------------------------------------------- */

/* tls_key_fn: a key without a name serves every gateway that holds it. */
static int key_of(void *arg, const char *identity, uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    const struct gateways *gateways = arg;
    const struct vps_settings *settings = gateways->options.settings;
    for (unsigned i = 0; i < settings->tunnel_key.count; i++) {
        const struct gateway_key *entry = &settings->tunnel_key.keys[i];
        if (entry->name[0] == '\0' || strcasecmp(entry->name, identity) == 0) {
            memcpy(ret_key, entry->key, CRYPTO_KEY_SIZE);
            return 0;
        }
    }
    return -ENOENT;
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

static int say_which(const struct gateways *gateways, struct why *why)
{
    char buffer[sizeof why->text];
    struct text names = text_over(buffer, sizeof buffer);
    const struct gateway *gateway = NULL;
    while ((gateway = gateways_next(gateways, gateway))) {
        text_add(&names, "%s%s", names.len ? ", " : "", channel_peer_name(gateway->channel));
    }
    return why_set(why, -EDESTADDRREQ,
                   "Several gateways are online (%.180s). Write GATEWAY/HOST to say which one.",
                   buffer);
}

int gateways_pick(const struct gateways *gateways, const char *name, struct gateway **ret_gateway,
                  struct why *why)
{
    struct gateway *first = gateways_next(gateways, NULL);
    if (!first) {
        return why_set(why, -ENOTCONN,
                       "No gateway is online. Is gateway-agent running, and does it reach this "
                       "server?");
    }
    struct gateway *gateway = name[0] ? gateways_find(gateways, name) : first;
    if (!gateway) {
        return why_set(why, -ENOENT, "No gateway named %s is online.", name);
    }
    if (!name[0] && gateways_next(gateways, first)) {
        return say_which(gateways, why);
    }
    *ret_gateway = gateway;
    return 0;
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
            log_warn(log_of(gateways), "gateway %s: a new login replaces the old one", name);
        }
    }
}

static void on_opened(void *arg)
{
    struct gateway *gateway = arg;
    char from[ADDR_TEXT_MAX];
    gateway->open = true;
    gateway->since_unix = clock_unix();
    log_info(log_of(gateway->gateways), "gateway %s: online from %s (%s)",
             channel_peer_name(gateway->channel), addr_text(&gateway->from, from),
             channel_peer_program(gateway->channel));
    replace_older(gateway);
    const struct gateways_events *events = &gateway->gateways->options.events;
    events->online(events->arg, channel_peer_name(gateway->channel));
}

static bool on_looked(void *arg)
{
    struct gateway *gateway = arg;
    char from[ADDR_TEXT_MAX];
    log_info(log_of(gateway->gateways), "gateway %s: looked from %s whether it would be let in",
             channel_peer_name(gateway->channel), addr_text(&gateway->from, from));
    return gateways_find(gateway->gateways, channel_peer_name(gateway->channel)) != NULL;
}

static void on_received(void *arg, const struct message *message)
{
    struct gateway *gateway = arg;
    const struct gateways_events *events = &gateway->gateways->options.events;
    events->received(events->arg, channel_peer_name(gateway->channel), message);
}

static void log_stranger(struct gateways *gateways, const struct addr *from, const char *text)
{
    unsigned held_back;
    char host[ADDR_HOST_MAX];
    if (!log_sieve_pass(&gateways->strangers, clock_ms(), &held_back)) {
        return;
    }
    addr_host_text(from, host);
    if (held_back > 0) {
        log_warn(log_of(gateways), "control port: %s: %s (and %u more such failures)", host, text,
                 held_back);
    } else {
        log_warn(log_of(gateways), "control port: %s: %s", host, text);
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
        log_warn(log_of(gateways), "gateway %s: offline: %s", name, why->text);
    } else if (end == CHANNEL_END_VERSION) {
        log_error(log_of(gateways), "gateway %s: %s", name, why->text);
    } else if (channel_peer_goodbye(gateway->channel) != GOODBYE_LOOK) {
        log_stranger(gateways, &gateway->from, why->text);
    }
    remove_gateway(gateway);
    if (was_open) {
        gateways->options.events.lost(gateways->options.events.arg, name);
    }
}

static const struct channel_events CHANNEL_EVENTS = {
    .opened = on_opened, .received = on_received, .looked = on_looked, .closed = on_closed};

/* ---- the control port ----------------------------------------------------- */

/* The oldest unfinished connection of a party (NULL: of all), and how many there are. */
static struct gateway *oldest_unfinished(const struct gateways *gateways, const struct addr *party,
                                         unsigned *ret_count)
{
    struct gateway *oldest = NULL;
    *ret_count = 0;
    for (struct gateway *g = gateways->list; g; g = g->next) {
        if (!g->open && (!party || addr_same_party(&g->from, party))) {
            oldest = g;
            ++*ret_count;
        }
    }
    return oldest;
}

static void make_room(struct gateways *gateways, const struct addr *from)
{
    unsigned count;
    struct gateway *oldest = oldest_unfinished(gateways, from, &count);
    if (count < GATEWAYS_UNFINISHED_PER_PARTY) {
        oldest = oldest_unfinished(gateways, NULL, &count);
        if (count < GATEWAYS_UNFINISHED_MAX) {
            return;
        }
    }
    struct addr peer = oldest->from;
    remove_gateway(oldest);
    log_stranger(gateways, &peer, "too many unfinished handshakes");
}

static void on_connection(void *arg, int fd, const struct addr *from)
{
    struct gateways *gateways = arg;
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

int gateways_new(const struct gateways_options *options, struct gateways **ret_gateways,
                 struct why *why)
{
    struct gateways *gateways = calloc(1, sizeof *gateways);
    if (!gateways) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    gateways->options = *options;
    int err = tls_config_server(key_of, gateways, &gateways->tls);
    if (err < 0) {
        why_set(why, err, "cannot set up TLS: %s", strerror(-err));
        goto fail;
    }
    err = open_port(gateways, why);
    if (err < 0) {
        goto fail;
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
    while (gateways->list) {
        channel_goodbye(gateways->list->channel, GOODBYE_SHUTDOWN, "vps-agent is being stopped");
        remove_gateway(gateways->list);
    }
    tls_config_free(gateways->tls);
    free(gateways);
}

int gateway_send(struct gateway *gateway, const struct message *message)
{
    return channel_send(gateway->channel, message);
}

void gateway_view(const struct gateway *gateway, struct gateway_view *ret_view)
{
    *ret_view = (struct gateway_view){
        .name = channel_peer_name(gateway->channel),
        .program = channel_peer_program(gateway->channel),
        .from = gateway->from,
        .since_unix = gateway->since_unix,
        .rtt_us = channel_rtt_us(gateway->channel),
    };
}
