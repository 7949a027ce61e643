/*
 * rear: a session's side to its gateway: the data port with its dock (or the dock alone, where
 * data channels come to the control port: DATA_PORT=control), what the gateway is asked, the
 * numbers of the data channels, and the reserve, a channel that waits for the next client. It
 * knows nothing of states and of clients.
 *
 * Whatever is reported may close the rear (rear_close()) from inside; none may free it.
 */
#ifndef PAMTUNNEL_VPS_SESSION_REAR_H
#define PAMTUNNEL_VPS_SESSION_REAR_H

#include "base/why.h"
#include "vps/session/terms.h"

struct rear;

struct rear_events {
    /* A data channel is there. True: it was taken over. Otherwise it becomes the reserve. */
    bool (*docked)(void *arg, uint16_t channel, int fd);
    /* The target answers, and there is a reserve: once, or again after each. */
    void (*ready)(void *arg);
    /*
     * The reserve has hung up. another_comes: one was asked for since. was_kept: it had been there
     * for a while.
     */
    void (*reserve_gone)(void *arg, bool another_comes, bool was_kept);
};

/*
 * Opens the dock, and asks for nothing yet. 0, or -errno with a sentence for the user
 * in why. events are the caller's, and outlive the rear.
 */
int rear_new(const struct terms *terms, const struct rear_events *events, void *arg,
             struct rear **ret_rear, struct why *why);
/* Closes the port and the reserve for good. The gateway is not told: rear_say_closed(). */
void rear_close(struct rear *rear);
/* It is closed. Accepts NULL. */
void rear_free(struct rear *rear);
/* Its session's. */
const struct terms *rear_terms(const struct rear *rear);

/* ---- the gateway ----------------------------------------------------------- */

/* It is online. */
bool rear_has_gateway(const struct rear *rear);
/* Asks for data channel 0: whether the target answers at all. 0 or -errno. */
int rear_request_first(struct rear *rear);
/* Asks for one more. 0 or -errno; the channel has its number in either case. */
int rear_request(struct rear *rear, uint16_t *ret_channel);
/* The target of that channel is to be dialled without a first byte. 0 or -errno. */
int rear_dial_target(struct rear *rear, uint16_t channel);
/* The gateway knows how to do that, or is offline. */
bool rear_can_dial_target(const struct rear *rear);
/* The session is over. */
void rear_say_closed(struct rear *rear);

/* Its gateway says that the target answers. */
void rear_on_tunnel_ready(struct rear *rear, const struct message_tunnel_ready *ready);
/* With DATA_PORT=control: the HELLO of a data channel, from anybody. fd is the callee's. */
void rear_on_data_channel(struct rear *rear, int fd, const struct addr *from, const uint8_t *hello);
/* This channel will not come. Returns whether it is the latest that was asked for. */
bool rear_give_up(struct rear *rear, uint16_t channel);
/* The gateway has gone, or logged in anew: what it was asked before will not come. */
void rear_give_up_all(struct rear *rear);

/* ---- the reserve ----------------------------------------------------------- */

bool rear_has_reserve(const struct rear *rear);
/*
 * The descriptor of the reserve, which is the caller's now. is_fresh: it came just now, so
 * that its proof was a trial, too (trial.h).
 */
int rear_take_reserve(struct rear *rear, uint16_t *ret_channel, bool *ret_is_fresh);
void rear_drop_reserve(struct rear *rear);
/* It may be dead without a word: it is not taken for fresh. Does nothing if there is none. */
void rear_doubt_reserve(struct rear *rear);

/* What there is to see. */
uint16_t rear_port(const struct rear *rear);
void rear_view(const struct rear *rear, struct session_view *view);

#endif
