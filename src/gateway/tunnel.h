/*
 * tunnel: the life of one OPEN_TUNNEL: one data channel and the target behind it.
 *
 *     opening -> waiting -> dialling -> relaying -> (closing) -> ended
 *
 * and from every state to ended. While opening, two things go on side by side, so
 * that the user waits for the slower one alone: reach.h finds out whether the
 * target may be dialled and answers, attach.h makes the data channel and proves
 * it. While waiting, nothing is connected to the target: its login timers start
 * when the user's first byte arrives, or the VPS says that somebody is there who waits
 * for the target's (tunnel_dial()), and not before.
 */
#ifndef PAMTUNNEL_GATEWAY_TUNNEL_H
#define PAMTUNNEL_GATEWAY_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/congestion.h"
#include "base/log.h"
#include "base/net.h"
#include "base/sieve.h"
#include "control/message.h"
#include "data/relay.h"
#include "gateway/approach.h"
#include "gateway/look/sights.h"
#include "gateway/reachable.h"
#include "gateway/targets.h"

struct tunnel;

/* What all tunnels of a gateway have in common, and whom they tell. */
struct tunnel_host {
    uv_loop_t *loop;
    const struct log *log;
    struct sieve *lines; /* about all tunnels: a VPS in the wrong hands can cause any number */
    const struct targets *allowed;
    const struct congestion *congestion; /* of data channels */
    struct approach_way way;             /* to the VPS */
    struct resolver *resolver;
    struct lan_searches *searches;
    struct reachable *reachable;
    struct sights *sights;
    struct relay *relay;
    /* TUNNEL_READY or TUNNEL_FAILED to the VPS. */
    void (*send)(void *arg, const struct message *message);
    /* It is over: tunnel_free() it now. */
    void (*ended)(void *arg, struct tunnel *tunnel);
    void *arg;
};

/*
 * Starts to open. vps is the address of the VPS that the command came from. 0 or
 * -errno; host is never called from inside this call, and has to stay.
 */
int tunnel_new(const struct tunnel_host *host, const struct message_open_tunnel *command,
               const struct addr *vps, struct tunnel **ret_tunnel);
/*
 * Closes what it holds. Accepts NULL. Not while it has a running link, unless the
 * relay is gone.
 */
void tunnel_free(struct tunnel *tunnel);

/* As OPEN_TUNNEL named it. */
uint64_t tunnel_session(const struct tunnel *tunnel);
uint16_t tunnel_channel(const struct tunnel *tunnel);
/* The one that runs, from the data channel (a) to the target (b); NULL: none. */
const struct link *tunnel_link(const struct tunnel *tunnel);
/* The VPS has not been answered yet. */
bool tunnel_is_opening(const struct tunnel *tunnel);

/*
 * The user is there, and waits for the target to speak first: it is dialled as soon as
 * the tunnel is open, without a first byte.
 */
void tunnel_dial(struct tunnel *tunnel);
/*
 * Its session is over. It ends at once, and host->ended() is called in here, unless a link is
 * running: see tunnel.c.
 */
void tunnel_close(struct tunnel *tunnel);
/*
 * The list of targets has other entries now: if it does not allow what this one is connected
 * to, or would be, it fails, and says why. Not so while that is not known yet: reach.h asks
 * the list by itself. As tunnel_close(), it may be gone when this returns.
 */
void tunnel_check_target(struct tunnel *tunnel);
/* Its link came back from the relay; the link is freed and the tunnel ends. */
void tunnel_link_ended(struct tunnel *tunnel, struct link *link);

#endif
