/*
 * The list of tunnels, and what they share: the relay, the resolver, the log's sieves. Every tunnel
 * ends through on_ended(), which frees it and moves the last one into its place; so loops that
 * may end tunnels run from the end of the list.
 *
 * The relay is freed before the tunnels, since its links point at them. `host` is given to
 * tunnels by pointer and does not change.
 */
#include "gateway/tunnels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/resolve.h"
#include "base/watch.h"
#include "data/relay.h"
#include "gateway/discovery.h"
#include "gateway/failure.h"
#include "gateway/names/lan_search.h"
#include "gateway/tunnel.h"
#include "gateway/waker.h"

/* Each has a thread, for as long as dead name servers let it wait. */
enum { LOOK_UPS_MAX = 32 };

/* What people do with tunnels is all in the log; of what a machine can do, some. */
enum { LINES_BURST = 300, LINES_REFILL_MS = 2000 };

struct tunnels {
    struct tunnel_host host; /* what each of them sees */
    struct relay *relay;
    struct resolver *resolver;
    struct lan_searches *searches;
    struct discovery *discovery;
    struct reachable *reachable;
    struct sights *sights;
    struct waker *waker;
    struct watch *ended_links;
    struct sieve *lines, *refusals;
    struct tunnel **all;
    unsigned count, most;
    struct tunnels_tally past; /* of links that have ended, and of failures */
    void (*send)(void *arg, const struct message *message);
    void *arg;
};

/* ---- what tunnels tell ----------------------------------------------------- */

/* Every answer to the VPS. */
static void tell(struct tunnels *tunnels, const struct message *message)
{
    if (message->type == MESSAGE_TUNNEL_FAILED) {
        tunnels->past.failed[message->tunnel_failed.reason]++;
    } else if (message->type == MESSAGE_TUNNEL_READY) {
        tunnels->past.found[message->tunnel_ready.found_by]++;
    }
    tunnels->send(tunnels->arg, message);
}

static void on_send(void *arg, const struct message *message)
{
    tell(arg, message);
}

/* The last one takes its place: whoever ends several goes through them from the end. */
static void on_ended(void *arg, struct tunnel *tunnel)
{
    struct tunnels *tunnels = arg;

    for (unsigned i = 0; i < tunnels->count; i++) {
        if (tunnels->all[i] == tunnel) {
            tunnels->all[i] = tunnels->all[--tunnels->count];
            break;
        }
    }
    tunnel_free(tunnel);
}

static void count_link(struct tunnels_tally *tally, const struct link *link)
{
    tally->connected++;
    tally->bytes_to_target += link_bytes_a_to_b(link);
    tally->bytes_to_client += link_bytes_b_to_a(link);
}

static void on_ended_links(void *arg, int events)
{
    struct tunnels *tunnels = arg;
    struct link *link;

    (void)events;
    /* All of them: the descriptor says that there are some, not how many. */
    while ((link = relay_take_ended(tunnels->relay))) {
        count_link(&tunnels->past, link);
        tunnel_link_ended(link_arg(link), link);
    }
}

/* ---- commands -------------------------------------------------------------- */

static void refuse(struct tunnels *tunnels, const struct message_open_tunnel *command,
                   const struct failure *failure)
{
    struct message message = {.type = MESSAGE_TUNNEL_FAILED};

    sieve_log(tunnels->refusals, "tunnels that were refused", LOG_WARN,
              "tunnel %016" PRIx64 "/%u to %s, port %u: refused: %s", command->session,
              command->channel, command->host, command->port, failure->detail);
    message.tunnel_failed.session = command->session;
    message.tunnel_failed.channel = command->channel;
    message.tunnel_failed.reason = (uint8_t)failure->reason;
    snprintf(message.tunnel_failed.detail, sizeof message.tunnel_failed.detail, "%s",
             failure->detail);
    tell(tunnels, &message);
}

/* NULL if it is not open. */
static struct tunnel *find(const struct tunnels *tunnels, uint64_t session, uint16_t channel)
{
    for (unsigned i = 0; i < tunnels->count; i++) {
        if (tunnel_session(tunnels->all[i]) == session &&
            tunnel_channel(tunnels->all[i]) == channel) {
            return tunnels->all[i];
        }
    }
    return NULL;
}

/* The VPS has checked all this too, if it is in honest hands. */
static int check(const struct tunnels *tunnels, const struct message_open_tunnel *command,
                 struct failure *ret_failure)
{
    if (host_kind(command->host) == HOST_INVALID || command->port == 0 || command->data_port == 0) {
        *ret_failure = failure_make(TUNNEL_ERROR, "the VPS sent an invalid host or port");
    } else if (find(tunnels, command->session, command->channel)) {
        *ret_failure = failure_make(TUNNEL_ERROR, "the VPS asked for the same tunnel twice");
    } else if (tunnels->count == tunnels->most) {
        *ret_failure = failure_make(
            TUNNEL_BUSY, "the gateway has %u tunnels open, which is its limit", tunnels->most);
    } else {
        return 0;
    }
    return -EINVAL;
}

static void on_open_tunnel(struct tunnels *tunnels, const struct message_open_tunnel *command,
                           const struct addr *vps)
{
    struct failure failure;

    if (check(tunnels, command, &failure) < 0) {
        refuse(tunnels, command, &failure);
        return;
    }
    int err = tunnel_new(&tunnels->host, command, vps, &tunnels->all[tunnels->count]);
    if (err < 0) {
        failure = failure_make(TUNNEL_BUSY, "the gateway cannot open a tunnel: %s", strerror(-err));
        refuse(tunnels, command, &failure);
        return;
    }
    tunnels->count++;
}

static void on_close_tunnel(struct tunnels *tunnels, const struct message_close_tunnel *command,
                            const struct addr *vps)
{
    (void)vps;
    for (unsigned i = tunnels->count; i-- > 0;) {
        if (tunnel_session(tunnels->all[i]) == command->session) {
            tunnel_close(tunnels->all[i]);
        }
    }
    waker_close(tunnels->waker, command->session);
}

static void on_wake(struct tunnels *tunnels, const struct message_wake *command,
                    const struct addr *vps)
{
    (void)vps;
    waker_wake(tunnels->waker, command);
}

/* One that is not there any more has said why. */
static void on_dial_target(struct tunnels *tunnels, const struct message_dial_target *command,
                           const struct addr *vps)
{
    struct tunnel *tunnel = find(tunnels, command->session, command->channel);
    (void)vps;
    if (tunnel) {
        tunnel_dial(tunnel);
    }
}

static void on_discover(struct tunnels *tunnels, const struct message_discover *command,
                        const struct addr *vps)
{
    (void)vps;
    discovery_ask(tunnels->discovery, command);
}

/* Without an on_NAME() for each message that the VPS may send, this does not compile. */
void tunnels_command(struct tunnels *tunnels, const struct message *command, const struct addr *vps)
{
    switch (command->type) {
#define MESSAGE_OF_VPS(NAME, name)               \
    case MESSAGE_##NAME:                         \
        on_##name(tunnels, &command->name, vps); \
        break;
#include "control/messages.def"
    default: /* no other comes from a VPS */
        break;
    }
}

void tunnels_control_lost(struct tunnels *tunnels)
{
    for (unsigned i = tunnels->count; i-- > 0;) {
        if (tunnel_is_opening(tunnels->all[i])) {
            tunnel_close(tunnels->all[i]);
        }
    }
    waker_close_all(tunnels->waker);
}

void tunnels_targets_changed(struct tunnels *tunnels)
{
    for (unsigned i = tunnels->count; i-- > 0;) {
        tunnel_check_target(tunnels->all[i]);
    }
}

/* ---- life ------------------------------------------------------------------ */

static struct discovery *make_discovery(struct tunnels *tunnels, uv_loop_t *loop, const bool *is_on)
{
    const struct discovery_options options = {
        .loop = loop, .lines = tunnels->lines, .is_on = is_on, .send = on_send, .arg = tunnels};
    return discovery_new(&options);
}

static struct waker *make_waker(const struct tunnels *tunnels, uv_loop_t *loop,
                                const struct tunnels_options *options)
{
    const struct waker_options waking = {.loop = loop,
                                         .lines = tunnels->lines,
                                         .allowed = options->allowed,
                                         .resolver = tunnels->resolver,
                                         .searches = tunnels->searches,
                                         .reachable = tunnels->reachable,
                                         .send = options->send,
                                         .arg = options->arg};
    return waker_new(&waking);
}

int tunnels_new(uv_loop_t *loop, const struct tunnels_options *options,
                struct tunnels **ret_tunnels)
{
    struct tunnels *tunnels = calloc(1, sizeof *tunnels);
    if (!tunnels) {
        return -ENOMEM;
    }
    tunnels->send = options->send;
    tunnels->arg = options->arg;
    tunnels->most = options->most;
    tunnels->lines = sieve_new(loop, options->log, LINES_BURST, LINES_REFILL_MS);
    tunnels->refusals = sieve_new(loop, options->log, SIEVE_BURST, SIEVE_REFILL_MS);
    tunnels->all = calloc(options->most, sizeof(struct tunnel *));
    tunnels->resolver = resolver_new(loop, LOOK_UPS_MAX);
    tunnels->searches = lan_searches_new(loop);
    tunnels->reachable = reachable_new();
    tunnels->sights = sights_new();
    tunnels->discovery = make_discovery(tunnels, loop, options->discover);
    tunnels->waker = make_waker(tunnels, loop, options);
    int err = -ENOMEM;
    if (!tunnels->all || !tunnels->resolver || !tunnels->searches || !tunnels->reachable ||
        !tunnels->discovery || !tunnels->sights || !tunnels->waker || !tunnels->lines ||
        !tunnels->refusals) {
        goto fail;
    }
    err = relay_new(options->workers, &tunnels->relay);
    if (err < 0) {
        goto fail;
    }
    tunnels->host = (struct tunnel_host){
        .loop = loop,
        .log = options->log,
        .lines = tunnels->lines,
        .allowed = options->allowed,
        .way = options->way,
        .congestion = options->congestion,
        .resolver = tunnels->resolver,
        .searches = tunnels->searches,
        .reachable = tunnels->reachable,
        .sights = tunnels->sights,
        .relay = tunnels->relay,
        .send = on_send,
        .ended = on_ended,
        .arg = tunnels,
    };
    err = -ENOMEM;
    tunnels->ended_links = watch_new(loop, relay_events_fd(tunnels->relay), on_ended_links,
                                     tunnels);
    if (!tunnels->ended_links) {
        goto fail;
    }
    watch_set(tunnels->ended_links, WATCH_READ);
    *ret_tunnels = tunnels;
    return 0;

fail:
    tunnels_free(tunnels);
    return err;
}

bool tunnels_relay_is_alive(struct tunnels *tunnels)
{
    return relay_is_alive(tunnels->relay);
}

void tunnels_free(struct tunnels *tunnels)
{
    if (!tunnels) {
        return;
    }
    watch_free(tunnels->ended_links);
    relay_free(tunnels->relay); /* first: its links point to tunnels */
    for (unsigned i = 0; i < tunnels->count; i++) {
        tunnel_free(tunnels->all[i]);
    }
    waker_free(tunnels->waker);
    resolver_free(tunnels->resolver);
    lan_searches_free(tunnels->searches);
    discovery_free(tunnels->discovery);
    reachable_free(tunnels->reachable);
    sights_free(tunnels->sights);
    sieve_free(tunnels->lines);
    sieve_free(tunnels->refusals);
    free(tunnels->all);
    free(tunnels);
}

unsigned tunnels_count(const struct tunnels *tunnels)
{
    return tunnels->count;
}

struct tunnels_tally tunnels_tally(const struct tunnels *tunnels)
{
    struct tunnels_tally tally = tunnels->past;
    for (unsigned i = 0; i < tunnels->count; i++) {
        const struct link *link = tunnel_link(tunnels->all[i]);
        if (link) {
            count_link(&tally, link);
        }
    }
    tally.running = relay_running(tunnels->relay);
    return tally;
}
