/*
 * States are in tunnel.h. A tunnel owns one thing at a time that may call back (reach and attach
 * together while opening, then watch, probe, dial, the link), and a callback that ends its object
 * clears the pointer first, so tunnel_free() can cancel whatever is left in any state but relaying:
 * the link is the relay's, which goes first.
 *
 * Re-entrancy: tunnel_end() reports to the owner, which frees the tunnel, so it is the last thing
 * that any function does. Only a link, which is a worker thread's, has to come back first: it is
 * cut, and the tunnel ends in tunnel_link_ended().
 *
 * The target is dialled at the client's first byte, or when the VPS asks for it (tunnel_dial()),
 * and not sooner: sshd limits the time of a login, and counts idle ones against the gateway.
 */
#include "gateway/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resolve.h"
#include "base/text.h"
#include "gateway/neighbours.h"
#include "gateway/tunnel_core.h"

/*
 * Waiting has no deadline: the VPS gives a session up. This is how long a link may still run after
 * CLOSE_TUNNEL. The VPS has closed or reset its end of the data channel by then, so the link ends
 * by itself, and cutting it at once would throw away the last bytes on their way to the target: it
 * is for links that the news does not reach.
 */
enum { LINGER_MS = 30000 };

static const char *const STATE_NAMES[] = {
    [STATE_OPENING] = "opening",   [STATE_WAITING] = "waiting", [STATE_DIALLING] = "dialling",
    [STATE_RELAYING] = "relaying", [STATE_CLOSING] = "closing", [STATE_ENDED] = "ended",
};

/* ---- saying ---------------------------------------------------------------- */

void tunnel_log(const struct tunnel *tunnel, enum log_level level, const char *format, ...)
{
    char line[512];
    struct text text = text_over(line, sizeof line);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    sieve_log(tunnel->host->lines, "tunnels", level, "tunnel %016" PRIx64 "/%u to %s: %s",
              tunnel->session, tunnel->channel, tunnel->target, line);
}

void tunnel_set_state(struct tunnel *tunnel, enum tunnel_state state, const char *because)
{
    tunnel_log(tunnel, LOG_INFO, "%s -> %s%s%s", STATE_NAMES[tunnel->state], STATE_NAMES[state],
               because[0] ? ": " : "", because);
    tunnel->state = state;
    tunnel->since_ms = clock_ms();
}

/* NULL: of no kind that is known here, or it was not said. */
static const struct kind_row *kind_of(const struct tunnel *tunnel)
{
    unsigned kind = tunnel->kind - TUNNEL_KIND_FIRST;
    return tunnel->kind >= TUNNEL_KIND_FIRST && kind < KIND_COUNT ? kind_row((enum kind)kind)
                                                                  : NULL;
}

static_assert(sizeof((struct message_tunnel_ready *)NULL)->host_key == SIGHT_HOST_KEY_MAX + 1 &&
                  sizeof((struct message_tunnel_ready *)NULL)->certificate == SIGHT_IDENTITY_SIZE,
              "what is seen fits into the message");

/* Whoever is told is who is dialled: the VPS judges whether that is right. */
static void tell_sight(struct tunnel *tunnel, struct message_tunnel_ready *ready)
{
    const struct kind_row *kind = tunnel->tells_sight ? kind_of(tunnel) : NULL;
    const struct sight *sight = kind ? sights_find(tunnel->host->sights, &tunnel->addrs[0],
                                                   kind->kind, ready->mac)
                                     : NULL;
    if (!sight) {
        return;
    }
    tunnel->demand = demand_make(tunnel->kind, false, sight->identity, tunnel->host->sights);
    memcpy(ready->host_key, sight->host_key, sizeof ready->host_key);
    if (!sight->host_key[0]) {
        memcpy(ready->certificate, sight->identity, sizeof ready->certificate);
        memcpy(ready->certificate_sha1, sight->certificate_sha1, sizeof ready->certificate_sha1);
        ready->certificate_from = sight->certificate_from;
        ready->certificate_until = sight->certificate_until;
    }
}

static void send_ready(struct tunnel *tunnel)
{
    struct message message = {.type = MESSAGE_TUNNEL_READY};
    struct message_tunnel_ready *ready = &message.tunnel_ready;
    ready->session = tunnel->session;
    ready->channel = tunnel->channel;
    addr_text(&tunnel->addrs[0], ready->address);
    neighbours_mac(&tunnel->addrs[0], ready->mac); /* it answered a moment ago */
    ready->found_by = (uint8_t)tunnel->found_by;
    tell_sight(tunnel, ready);
    tunnel->host->send(tunnel->host->arg, &message);
}

void tunnel_send_failed(const struct tunnel *tunnel, const struct failure *failure)
{
    struct message message = {.type = MESSAGE_TUNNEL_FAILED};
    struct message_tunnel_failed *failed = &message.tunnel_failed;
    failed->session = tunnel->session;
    failed->channel = tunnel->channel;
    failed->reason = (uint8_t)failure->reason;
    snprintf(failed->detail, sizeof failed->detail, "%s", failure->detail);
    tunnel->host->send(tunnel->host->arg, &message);
}

/* ---- ending ---------------------------------------------------------------- */

/* The tunnel is gone when this returns. */
void tunnel_end(struct tunnel *tunnel, const char *because)
{
    tunnel_set_state(tunnel, STATE_ENDED, because);
    tunnel->host->ended(tunnel->host->arg, tunnel);
}

void tunnel_fail(struct tunnel *tunnel, const struct failure *failure)
{
    if (failure->note[0]) {
        tunnel_log(tunnel, LOG_WARN, "%s", failure->note);
    }
    tunnel_send_failed(tunnel, failure);
    tunnel_end(tunnel, failure->detail);
}

/* ---- waiting --------------------------------------------------------------- */

/* The data channel became readable: a first byte, which stays there, or its end. */
static void on_first_byte(void *arg, int events)
{
    struct tunnel *tunnel = arg;
    char byte;
    ssize_t n = recv(tunnel->data, &byte, 1, MSG_PEEK);
    (void)events;
    if (n > 0) {
        tunnel_start_dialling(tunnel);
    } else if (n == 0) {
        tunnel_end(tunnel, "the VPS closed the data channel");
    } else if (errno != EAGAIN && errno != EINTR) {
        tunnel_end(tunnel, strerror(errno));
    }
}

void tunnel_start_waiting(struct tunnel *tunnel)
{
    tunnel->watch = watch_start(tunnel->host->loop, tunnel->data, WATCH_READ, on_first_byte,
                                tunnel);
    if (!tunnel->watch) {
        struct failure failure = failure_of_target(-ENOMEM, tunnel->target);
        tunnel_fail(tunnel, &failure);
        return;
    }
    char because[64];
    snprintf(because, sizeof because, "took %" PRIu64 " ms", clock_ms() - tunnel->since_ms);
    tunnel_set_state(tunnel, STATE_WAITING, because);
    if (tunnel->channel == 0) { /* later ones speak for themselves */
        send_ready(tunnel);
    }
    if (tunnel->dial_at_once) {
        tunnel_start_dialling(tunnel);
    }
}

/* ---- life ------------------------------------------------------------------ */

static void on_linger(void *arg)
{
    struct tunnel *tunnel = arg;
    link_cut(tunnel->link); /* it comes back through tunnel_link_ended() */
}

int tunnel_new(const struct tunnel_host *host, const struct message_open_tunnel *command,
               const struct addr *vps, struct tunnel **ret_tunnel)
{
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    int err = -ENOMEM;
    if (!tunnel) {
        return err;
    }
    tunnel->host = host;
    tunnel->session = command->session;
    tunnel->channel = command->channel;
    tunnel->data = -1;
    tunnel->since_ms = clock_ms();
    tunnel->port = command->port;
    tunnel->kind = command->kind;
    tunnel->tells_sight = (command->flags & TUNNEL_LOOK) != 0;
    tunnel->demand = demand_make(command->kind, false, command->identity, host->sights);
    target_format(command->host, command->port, tunnel->target);
    tunnel->linger = timer_new(host->loop, on_linger, tunnel);
    if (tunnel->linger) {
        err = tunnel_start_opening(tunnel, command, vps);
    }
    if (err < 0) {
        tunnel_free(tunnel);
        return err;
    }
    const struct kind_row *kind = kind_of(tunnel);
    tunnel_log(tunnel, LOG_INFO, "opening%s%s", kind ? " for " : "", kind ? kind->label : "");
    *ret_tunnel = tunnel;
    return 0;
}

void tunnel_free(struct tunnel *tunnel)
{
    if (!tunnel) {
        return;
    }
    reach_cancel(tunnel->reach);
    attach_cancel(tunnel->attach);
    watch_free(tunnel->watch);
    probe_cancel(tunnel->probing);
    dial_cancel(tunnel->dial);
    timer_free(tunnel->linger);
    free(tunnel->addrs);
    if (tunnel->data >= 0) {
        close(tunnel->data);
    }
    free(tunnel);
}

uint64_t tunnel_session(const struct tunnel *tunnel)
{
    return tunnel->session;
}

uint16_t tunnel_channel(const struct tunnel *tunnel)
{
    return tunnel->channel;
}

const struct link *tunnel_link(const struct tunnel *tunnel)
{
    return tunnel->link;
}

bool tunnel_is_opening(const struct tunnel *tunnel)
{
    return tunnel->state == STATE_OPENING;
}

void tunnel_dial(struct tunnel *tunnel)
{
    tunnel->dial_at_once = true;
    if (tunnel->state == STATE_WAITING) {
        tunnel_start_dialling(tunnel);
    }
}

void tunnel_close(struct tunnel *tunnel)
{
    if (tunnel->state == STATE_RELAYING) {
        tunnel_set_state(tunnel, STATE_CLOSING, "the session is over");
        timer_set(tunnel->linger, LINGER_MS);
    } else if (tunnel->state != STATE_CLOSING) {
        tunnel_end(tunnel, "the session is over");
    }
}

/* ---- another list of targets ------------------------------------------------ */

/* The link comes back through tunnel_link_ended(), and the tunnel ends then. */
static void cut_relaying(struct tunnel *tunnel, const struct failure *failure)
{
    tunnel_log(tunnel, LOG_WARN, "cut off: %s", failure->detail);
    tunnel_send_failed(tunnel, failure);
    link_cut(tunnel->link);
}

void tunnel_check_target(struct tunnel *tunnel)
{
    if (tunnel->reach || tunnel_is_allowed(tunnel)) {
        return;
    }
    struct failure failure = tunnel_not_allowed(tunnel);
    if (tunnel->link) {
        cut_relaying(tunnel, &failure);
    } else if (tunnel->data >= 0) {
        tunnel_dialling_failed(tunnel, &failure);
    } else {
        tunnel_fail(tunnel, &failure);
    }
}
