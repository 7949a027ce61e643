/*
 * vps_call: one call to the VPS by a program that has nothing else to do: looks it up, dials, and
 * opens a channel, on a loop of its own, until whoever makes the call says that it is over.
 *
 *     vps_call_new() -> vps_call_wait() -> vps_call_free()
 *                         events, one of which calls vps_call_end()
 */
#ifndef PAMTUNNEL_GATEWAY_SETUP_VPS_CALL_H
#define PAMTUNNEL_GATEWAY_SETUP_VPS_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/proxy.h"
#include "base/why.h"
#include "control/channel.h"

struct vps_call;

struct vps_call_request {
    const char *host;
    uint16_t port;
    const struct proxy *proxy; /* on the way there; NULL or without a host: none */
    int family;                /* AF_INET or AF_INET6 alone; AF_UNSPEC: whichever answers first */
    const char *gateway;       /* under whose name */
    const uint8_t *key;        /* CRYPTO_KEY_SIZE bytes; NULL: as a gateway that has none */
    bool look;                 /* see channel.h */
    unsigned keepalive_secs;
    /* The channel's, which are not to free it. */
    const struct channel_events *events;
    void *arg;
    /* Where the sentence goes if no channel comes of it; whoever ends the call may use it, too. */
    struct why *why;
};

/* Nothing happens before vps_call_wait(). The request is copied, and what it names outlives it. */
int vps_call_new(const struct vps_call_request *request, struct vps_call **ret_call);
/*
 * Runs the loop until the call is over: the err of vps_call_end(), or with why -ENOENT (the name),
 * -EHOSTUNREACH (no connection), or another -errno.
 */
int vps_call_wait(struct vps_call *call);
/* From inside an event, or a timer on its loop: only notes that. Of several the last one counts. */
void vps_call_end(struct vps_call *call, int err);
/* Accepts NULL. Whatever else is on its loop has to be freed before. */
void vps_call_free(struct vps_call *call);

uv_loop_t *vps_call_loop(struct vps_call *call);
/* NULL before there is one. */
struct channel *vps_call_channel(const struct vps_call *call);
/* "vps.example.org:9000" */
const char *vps_call_where(const struct vps_call *call);
/* The address that has answered: the proxy's, if there is one. */
const struct addr *vps_call_address(const struct vps_call *call);

#endif
