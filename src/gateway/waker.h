/*
 * waker: wakes machines for the VPS (WAKE): sends magic packets, and tries the machine's port until
 * it answers, or until the patience is over. Only what the list of allowed targets has.
 */
#ifndef PAMTUNNEL_GATEWAY_WAKER_H
#define PAMTUNNEL_GATEWAY_WAKER_H

#include <uv.h>

#include "base/resolve.h"
#include "base/sieve.h"
#include "control/message.h"
#include "gateway/reachable.h"
#include "gateway/targets.h"

enum {
    WAKES_MAX = 8,    /* at once */
    WAKES_BURST = 16, /* that begin, and one more in each of these times: a VPS in the wrong */
    WAKES_REFILL_MS = 10000, /* hands is not to fill the LAN */
    WAKE_PATIENCE_MAX_S = 300,
    WAKE_REFUSALS_S = 30, /* whoever refuses for so long is awake, and has nothing at that port */
};

struct waker;

/* All of it outlives the waker. */
struct waker_options {
    uv_loop_t *loop;
    struct sieve *lines;
    const struct targets *allowed;
    struct resolver *resolver;
    struct lan_searches *searches; /* for names that name servers do not know */
    struct reachable *reachable;
    /* AWAKE, or TUNNEL_FAILED of channel 0. */
    void (*send)(void *arg, const struct message *message);
    void *arg;
};

/* NULL when out of memory. */
struct waker *waker_new(const struct waker_options *options);
/* Accepts NULL. */
void waker_free(struct waker *waker);

/* What comes of it is sent from the loop; what is refused at once, from inside. */
void waker_wake(struct waker *waker, const struct message_wake *command);
/* Nobody waits for that any more. Nothing is sent. */
void waker_close(struct waker *waker, uint64_t session);
/* The same of all of them: the VPS that asked cannot be told. */
void waker_close_all(struct waker *waker);

#endif
