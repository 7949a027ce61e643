/*
 * The list of gateways, the newest first, holds connections that have not logged in as well;
 * gateways_next() skips those. A gateway's name is its channel's, so it exists once a login is
 * verified, and names compare without case.
 *
 * Who wants a gateway looks it up by name each time (gateways_find()) and keeps no pointer: a new
 * login replaces the struct while sessions go on, and it is the name that users and keys mean.
 *
 * Re-entrancy: gateways_remove() frees channel and gateway; it may be called from inside that
 * channel's own callbacks, and nothing of the gateway is used afterwards. Loops over the list that
 * may remove take the next one first.
 */
#include "vps/gateways/gateways.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "shared/gateway_name.h"
#include "vps/gateways/gateways_core.h"
#include "vps/gateways/gateways_discovery.h"

enum {
    FALSE_START_REFILL_MS = 1000,
    /* Lines about who holds a key: all that happens in a day, but not all that can be made up. */
    LOGIN_LINES_BURST = 200,
    LOGIN_LINES_REFILL_MS = 5000,
};

/* ---- the list ------------------------------------------------------------- */

void gateways_remove(struct gateway *gateway)
{
    list_remove(&gateway->home);
    gateways_undecided_free(gateway->undecided);
    channel_free(gateway->channel);
    free(gateway);
}

struct gateway *gateways_next(const struct gateways *gateways, const struct gateway *after)
{
    struct list *node = after ? after->home.next : gateways->list.next;
    while (node != &gateways->list && !list_owner(node, struct gateway, home)->open) {
        node = node->next;
    }
    return node == &gateways->list ? NULL : list_owner(node, struct gateway, home);
}

struct gateway *gateways_find(const struct gateways *gateways, const char *name)
{
    struct gateway *gateway = gateways_next(gateways, NULL);
    while (gateway && !gateway_name_equal(channel_peer_name(gateway->channel), name)) {
        gateway = gateways_next(gateways, gateway);
    }
    return gateway;
}

const struct attendance *gateways_attendance(const struct gateways *gateways)
{
    return &gateways->attendance;
}

bool gateways_are_several(const struct gateways *gateways)
{
    return keyring_count(gateways->keyring) > 1 || gateways->more_names ||
           keyring_is_shared(gateways->keyring);
}

void gateways_note_name(struct gateways *gateways, const char *name)
{
    if (!gateways->first_name[0]) {
        snprintf(gateways->first_name, sizeof gateways->first_name, "%s", name);
    } else if (!gateway_name_equal(gateways->first_name, name)) {
        gateways->more_names = true;
        keyring_note_shared(gateways->keyring);
    }
}

static void add_online(const struct gateways *gateways, struct text *names)
{
    const struct gateway *gateway = NULL;
    /* text may hold something already: a comma goes between names only. */
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
    if (!keyring_has(gateways->keyring, "")) {
        return why_set(why, -ENOTCONN,
                       "No gateway is online: none has been paired with this server yet. Run "
                       "gateway-agent --join, with the name of this server, on a Linux machine "
                       "over there. If it is not heard, say pamctl gateway pair on the server "
                       "first.");
    }
    char buffer[sizeof why->text];
    struct text text = text_over(buffer, sizeof buffer);
    attendance_say_all(&gateways->attendance, clock_ms(), &text);
    if (gateways_expect(gateways, "")) {
        /* After a restart it is on its way; advice to look for faults would be wrong. */
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
    /* Somebody else's absence is no reason to wait, if one is here that will do. */
    bool is_here = name[0] ? gateways_find(gateways, name) != NULL
                           : gateways_next(gateways, NULL) != NULL;
    return !is_here && attendance_expects(&gateways->attendance, name, clock_ms());
}

/* ---- life ------------------------------------------------------------------- */

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
    list_init(&gateways->list);
    list_init(&gateways->discoveries);
    gateways->party_starts = (struct allowance){.v4_bits = PARTY_V4_BITS,
                                                .v6_bits = PARTY_V6_BITS,
                                                .most = GATEWAYS_FALSE_STARTS_PER_PARTY,
                                                .refill_ms = FALSE_START_REFILL_MS};
    /* A network gets four times a party's: a company's gateways may share one. */
    gateways->network_starts = (struct allowance){.v4_bits = NETWORK_V4_BITS,
                                                  .v6_bits = NETWORK_V6_BITS,
                                                  .most = GATEWAYS_FALSE_STARTS_PER_NETWORK,
                                                  .refill_ms = FALSE_START_REFILL_MS / 4};
    gateways->party_strangers = gateways->party_starts;
    gateways->network_strangers = gateways->network_starts;
    gateways->keyring = keyring_new(options->settings, options->store);
    int err = gateways->keyring ? make_sieves(gateways) : -ENOMEM;
    if (err < 0) {
        why_set(why, err, "out of memory");
        goto fail;
    }
    attendance_begin(&gateways->attendance, gateways->keyring, clock_ms());
    gateways->applicants = gateways_new_applicants(gateways);
    if (!gateways->applicants) {
        err = why_set(why, -ENOMEM, "out of memory");
        goto fail;
    }
    err = tls_config_server(gateways_key_of, gateways, &gateways->tls);
    if (err < 0) {
        why_set(why, err, "cannot set up TLS: %s", strerror(-err));
        goto fail;
    }
    err = gateways_open_port(gateways, why);
    if (err < 0) {
        goto fail;
    }
    struct addresses_events events = {.gone = gateways_address_gone, .arg = gateways};
    err = addresses_watch(options->loop, &events, &gateways->addresses);
    if (err < 0) {
        log_debug(options->log, "cannot watch the addresses of this machine: %s", strerror(-err));
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
    /* First: nobody may come while the others are seen off. */
    listener_free(gateways->listener);
    gateways_end_discoveries(gateways);
    addresses_free(gateways->addresses);
    list_each (struct gateway, g, &gateways->list, home) {
        if (g->open) {
            keyring_left(gateways->keyring, channel_peer_name(g->channel));
        }
        if (g->channel) {
            channel_goodbye(g->channel, GOODBYE_SHUTDOWN, "vps-agent is being stopped");
        }
        gateways_remove(g);
    }
    tls_config_free(gateways->tls);
    applicants_free(gateways->applicants);
    keyring_free(gateways->keyring);
    sieve_free(gateways->failures);
    sieve_free(gateways->attacks);
    sieve_free(gateways->logins);
    free(gateways);
}

uint64_t gateways_failures(const struct gateways *gateways)
{
    return gateways->failure_count;
}

struct applicants *gateways_applicants(const struct gateways *gateways)
{
    return gateways->applicants;
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
        .version = channel_version(gateway->channel),
    };
}
