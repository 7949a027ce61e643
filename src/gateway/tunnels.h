/*
 * tunnels: all tunnels of a gateway, the relay that carries them, and what wakes their targets.
 * Takes the commands of the VPS and gives its answers to `send`.
 */
#ifndef PAMTUNNEL_GATEWAY_TUNNELS_H
#define PAMTUNNEL_GATEWAY_TUNNELS_H

#include <uv.h>

#include "base/congestion.h"
#include "base/log.h"
#include "base/net.h"
#include "control/message.h"
#include "gateway/approach.h"
#include "gateway/targets.h"

struct tunnels;

struct tunnels_options {
    const struct log *log;
    const struct targets *allowed;
    const bool *discover;                /* DISCOVER, as it is at the moment */
    const struct congestion *congestion; /* of data channels */
    struct approach_way way;             /* of data channels to the VPS */
    unsigned workers;                    /* of the relay */
    unsigned most;                       /* tunnels at once */
    void (*send)(void *arg, const struct message *message);
    void *arg;
};

/* 0 or -errno. What the options point to must outlive it. */
int tunnels_new(uv_loop_t *loop, const struct tunnels_options *options,
                struct tunnels **ret_tunnels);
/* For a watchdog: see relay_is_alive(). */
bool tunnels_relay_is_alive(struct tunnels *tunnels);
/* Ends them all at once, running links included. Accepts NULL. */
void tunnels_free(struct tunnels *tunnels);

/* A command of the VPS, whose address the control channel has. */
void tunnels_command(struct tunnels *tunnels, const struct message *command,
                     const struct addr *vps);
/*
 * The control channel broke. Tunnels that are still opening end, since nobody can
 * be told of them; the others have a data channel to live by.
 */
void tunnels_control_lost(struct tunnels *tunnels);

/* The list of targets has other entries now: tunnels to what it does not allow end. */
void tunnels_targets_changed(struct tunnels *tunnels);

/* In any state. */
unsigned tunnels_count(const struct tunnels *tunnels);

/* Of a failure, the last one in the enum. */
enum { TUNNEL_REASON_MAX = TUNNEL_IDENTITY };
/* What has come of them since the start. */
struct tunnels_tally {
    unsigned running;                        /* links, at this moment */
    uint64_t connected;                      /* targets that were, with those that are */
    uint64_t failed[TUNNEL_REASON_MAX + 1];  /* by reason */
    uint64_t found[TUNNEL_FOUND_BY_MAX + 1]; /* targets that answered, by enum tunnel_found_by */
    uint64_t bytes_to_target, bytes_to_client;
};
struct tunnels_tally tunnels_tally(const struct tunnels *tunnels);

#endif
