/*
 * uplink: the gateway's persistent control connection to the VPS: looked up,
 * dialled, greeted, and made again whenever it is lost.
 *
 *     resolving -> dialling -> greeting -> open -> resting -> resolving ...
 *                                      \-> pairing -> resting
 *
 * and from every state to resting, with a time that doubles up to 15 s. Each round looks VPS_HOST
 * up again, so that a change of its address is noticed. Without a key it asks to be paired, and
 * logs in with what comes of that.
 */
#ifndef PAMTUNNEL_GATEWAY_UPLINK_H
#define PAMTUNNEL_GATEWAY_UPLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/net.h"
#include "base/proxy.h"
#include "control/message.h"
#include "gateway/credentials.h"

struct uplink;

/* Called from the loop. They must not free the uplink. */
struct uplink_events {
    /* A command from the VPS, which is at this address. */
    void (*received)(void *arg, const struct message *message, const struct addr *vps);
    /* The connection is open, or was and is lost. */
    void (*opened)(void *arg);
    void (*lost)(void *arg);
    /* It waits to be let in, and shows this code; "": not any more. May be NULL. */
    void (*waits)(void *arg, const char *code);
};

struct uplink_options {
    const struct log *log;
    const char *vps_host;
    uint16_t control_port;
    const struct proxy *proxy;       /* on the way there; copied; NULL or without a host: none */
    struct credentials *credentials; /* outlive it, and change when it is paired */
    unsigned keepalive_secs;
    bool multipath;      /* MULTIPATH */
    const char *program; /* "gateway-agent 0.1.0" */
    const struct uplink_events *events;
    void *arg;
};

/* Starts to connect. 0 or -errno. `events`, `log` and `program` must outlive it. */
int uplink_new(uv_loop_t *loop, const struct uplink_options *options, struct uplink **ret_uplink);
/* Switches to this VPS and these credentials: ends the current connection, and makes a new one. */
void uplink_move(struct uplink *uplink, const struct uplink_options *options);
/* Says goodbye if the connection is open. Accepts NULL. */
void uplink_free(struct uplink *uplink);

/* It is logged in, so uplink_send() can work. */
bool uplink_is_open(const struct uplink *uplink);
/* The code with which it waits to be let in, or "". */
const char *uplink_code(const struct uplink *uplink);
/* The last measured round trip in microseconds; 0: none yet, or not open. */
uint64_t uplink_rtt_us(const struct uplink *uplink);
/* How often it was logged in. */
unsigned uplink_logins(const struct uplink *uplink);
/* -ENOTCONN if there is no open connection, or see channel_send(). */
int uplink_send(struct uplink *uplink, const struct message *message);

#endif
