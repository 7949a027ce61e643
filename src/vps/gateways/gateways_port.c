/* The control port: connections that have not logged in, and who of them has to make room. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/gateways/gateways_core.h"

enum { BACKLOG = 128, BACKLOG_WITH_DATA = 1024, SETTLED_MS = 100 };

/* One whose first bytes are not there yet has shown nothing. */
static bool is_proven(const struct gateway *gateway)
{
    return gateway->channel && channel_peer_is_proven(gateway->channel);
}

void gateways_count_false_start(struct gateways *gateways, const struct gateway *gateway)
{
    if (!gateway->channel) {
        return;
    }
    /* A right key whose login never ended: a broken line, or a recording played back. */
    bool broken_off = channel_peer_is_proven(gateway->channel) &&
                      !channel_is_shaken(gateway->channel);
    if (broken_off) {
        allowance_use(&gateways->party_starts, &gateway->from, clock_ms());
        allowance_use(&gateways->network_starts, &gateway->from, clock_ms());
    }
}

/* The one that people are asked about keeps its place, as those do that are logged in. */
static bool is_unfinished(const struct gateway *gateway)
{
    return !gateway->open && !gateway->met;
}

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
    list_each (const struct gateway, g, &gateways->list, home) {
        count += is_unfinished(g) && alike(&g->from, addr);
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
    /* Quadratic, over 64 at most. */
    const struct gateway *found = NULL;
    unsigned most = 0;
    list_each (const struct gateway, g, &gateways->list, home) {
        unsigned count = 0;
        if (!is_unfinished(g) || is_proven(g) || !alike(&g->from, addr)) {
            continue;
        }
        list_each (const struct gateway, o, &gateways->list, home) {
            count += is_unfinished(o) && !is_proven(o) && narrower(&o->from, &g->from);
        }
        if (count > most) {
            most = count;
            found = g;
        }
    }
    return found;
}

/* One of those who have shown no key (or have), by chance; the oldest if chance fails. */
static struct gateway *draw_of(const struct gateways *gateways, alike_fn alike,
                               const struct addr *addr, bool proven, uint64_t came_before_ms)
{
    struct gateway *drawn = NULL;
    uint32_t seen = 0, chance = 0;
    list_each (struct gateway, g, &gateways->list, home) {
        if (!is_unfinished(g) || is_proven(g) != proven || !alike(&g->from, addr) ||
            g->came_ms >= came_before_ms) {
            continue;
        }
        seen++;
        /* Reservoir sampling: each of them is kept with the same chance, in one pass. */
        if (crypto_random_below(seen, &chance) < 0 || chance == 0) {
            drawn = g;
        }
    }
    return drawn;
}

/* What a gateway says first comes right behind its connection: who is new gets a moment for it. */
static struct gateway *draw(const struct gateways *gateways, alike_fn alike,
                            const struct addr *addr, bool proven)
{
    uint64_t now = clock_ms();
    struct gateway *drawn = draw_of(gateways, alike, addr, proven,
                                    now > SETTLED_MS ? now - SETTLED_MS : 0);
    return drawn ? drawn : draw_of(gateways, alike, addr, proven, UINT64_MAX);
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
void gateways_make_room(struct gateways *gateways, const struct addr *from)
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
            gateways_count_false_start(gateways, victim);
            gateways_remove(victim);
            gateways_say_stranger(gateways->attacks, "control port: unfinished handshakes", &peer,
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
    gateways_say_stranger(
        gateways->attacks, "control port: unfinished logins with a right key", from,
        "many logins began there with a right key and were not finished: ignored for a second");
    return true;
}

void gateways_begin_login(struct gateways *gateways, int fd, const struct addr *from)
{
    /* Before anything is allocated: a replayed login costs a close(2), not a key exchange. */
    if (starts_falsely(gateways, from)) {
        close(fd);
        return;
    }
    gateways_make_room(gateways, from);
    struct gateway *gateway = calloc(1, sizeof *gateway);
    struct channel_options options = {
        .self = SENDER_VPS,
        .program = "vps-agent " PAMTUNNEL_VERSION,
        .events = &GATEWAY_CHANNEL_EVENTS,
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
    gateway->came_ms = clock_ms();
    list_prepend(&gateways->list, &gateway->home);
}

static void on_connection(void *arg, int fd, const struct addr *from)
{
    gateways_begin_login(arg, fd, from);
}

/* The connections to it are dead: gateways are offline until they come to another one. */
void gateways_address_gone(void *arg, const struct addr *addr)
{
    struct gateways *gateways = arg;
    list_each (struct gateway, g, &gateways->list, home) {
        if (g->channel) {
            channel_lost_address(g->channel, addr);
        }
    }
}

int gateways_open_port(struct gateways *gateways, struct why *why)
{
    const struct vps_settings *settings = gateways->options.settings;
    bool with_data = settings->data_port == DATA_PORT_CONTROL;
    /* A long queue: after a restart all gateways come back within seconds. */
    int backlog = with_data ? BACKLOG_WITH_DATA : BACKLOG;
    int fd = settings->common.multipath
                 ? net_listen_multipath(settings->bind_address, settings->control_port, backlog)
                 : net_listen(settings->bind_address, settings->control_port, backlog);
    if (fd < 0) {
        return why_set(why, fd,
                       "cannot listen on CONTROL_PORT %u at BIND_ADDRESS %s: %s. Is another "
                       "vps-agent running?",
                       settings->control_port, settings->bind_address, strerror(-fd));
    }
    if (with_data) {
        net_narrow(fd); /* as a data port (session/ports.c) */
    }
    gateways->listener = listener_new(gateways->options.loop, fd,
                                      with_data ? gateways_on_arrival : on_connection, gateways);
    if (!gateways->listener) {
        close(fd);
        return why_set(why, -ENOMEM, "out of memory");
    }
    return 0;
}
