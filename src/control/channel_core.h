/*
 * What the parts of channel share:
 *
 *     channel         its states, what goes out, its end; its life
 *     channel_intake  what comes in: frames, messages, and what is the channel's own of those
 */
#ifndef PAMTUNNEL_CONTROL_CHANNEL_CORE_H
#define PAMTUNNEL_CONTROL_CHANNEL_CORE_H

#include "base/timer.h"
#include "base/watch.h"
#include "control/channel.h"
#include "control/frame.h"
#include "control/keepalive.h"
#include "control/queue.h"
#include "shared/gateway_name.h"

enum state { STATE_HANDSHAKE, STATE_HELLO, STATE_OPEN, STATE_PAIRING, STATE_CLOSED };

struct channel {
    struct channel_options options;
    enum state state;
    int fd;
    struct tls *tls;
    struct watch *watch;
    struct timer *deadline; /* of the handshake and HELLO */
    struct timer *soon;     /* runs the channel again in the next turn of the loop */
    struct keepalive *keepalive;
    struct frame in;
    struct queue out;

    enum channel_end end; /* of a failure that is to be told from the loop */
    struct why end_why;
    bool failed;
    bool running; /* inside run(): memory must outlive it */
    bool freed;

    unsigned version; /* of the protocol, 0: none is agreed on */
    bool proven;      /* channel_peer_is_proven() */
    bool stranger;    /* channel_peer_is_stranger() */
    enum goodbye_reason peer_goodbye;
    char peer_name[GATEWAY_NAME_MAX + 1];
    unsigned peer_key; /* of those of that name */
    char peer_program[64];
};

/* ---- channel ----------------------------------------------------------------- */

/* The HELLOs are exchanged, so messages can be. */
bool channel_is_live(const struct channel *channel);
/* Nothing more is read: it failed, or the owner has ended it in one of its callbacks. */
bool channel_is_over(const struct channel *channel);
/* Neither side has proven anything: what the peer says of itself is shown beside a code. */
bool channel_pairs(const struct channel *channel);
/* Of the protocol; what goes out or comes in before one is agreed on is of the first. */
unsigned channel_wire_version(const struct channel *channel);
/* Remembers the first failure, of which the owner is told at the end of run(). Returns -1. */
int channel_fail(struct channel *channel, enum channel_end end, const char *text);
/* 0: the end of the stream, or the -errno of tls_read() and tls_write(). */
int channel_fail_io(struct channel *channel, long err);
/* Without asking whether it may go out now. -errno, or -1 when the channel has failed. */
int channel_enqueue(struct channel *channel, const struct message *message);
void channel_send_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text);

/* ---- channel_intake ---------------------------------------------------------- */

/* What has come by now, or a good part of it. */
void channel_receive(struct channel *channel);
/* What TLS has taken from the socket wakes nobody. */
void channel_go_on_soon(struct channel *channel);

#endif
