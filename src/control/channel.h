/*
 * channel: one end of the control channel (docs/protocol.md): TLS (tls.h), frames in and out
 * (frame.h, queue.h), the exchange of HELLO (hello.h), and the proof of life in both
 * directions (keepalive.h). Above it there are only messages.
 *
 * States: handshake -> hello -> open -> closed. The first two have CHANNEL_HANDSHAKE_MS
 * together. With a gateway that has no key (TLS_STRANGER) it is pairing in the place of open.
 */
#ifndef PAMTUNNEL_CONTROL_CHANNEL_H
#define PAMTUNNEL_CONTROL_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "base/why.h"
#include "control/message.h"
#include "control/tls.h"

enum { CHANNEL_HANDSHAKE_MS = 10000 };

struct channel;

enum channel_end {
    CHANNEL_END_PEER,     /* the peer closed the connection or broke it */
    CHANNEL_END_GOODBYE,  /* the peer said why: channel_goodbye() */
    CHANNEL_END_AUTH,     /* no proof of the key */
    CHANNEL_END_VERSION,  /* no common protocol version */
    CHANNEL_END_PROTOCOL, /* the peer broke the protocol */
    CHANNEL_END_TIMEOUT,  /* handshake too slow, or two PINGs unanswered */
};

/* Called from the loop. The owner may free the channel in any of them. */
struct channel_events {
    /* Both HELLOs are there: channel_send() works from now on. */
    void (*opened)(void *arg);
    /* A message of the other agent's: of a sender that is not BOTH in messages.def. */
    void (*received)(void *arg, const struct message *message);
    /* The connection is over; why is a sentence for the log. Free the channel now. */
    void (*closed)(void *arg, enum channel_end end, const struct why *why);
    /*
     * On the VPS, may be NULL: a gateway that holds the key looks without logging in. The
     * answer is GOODBYE_LOOK if it would be let in, GOODBYE_REPLACED if another one of its
     * name is online, or why it would not, with a text. It closes afterwards.
     */
    void (*looked)(void *arg, struct message_goodbye *ret_answer);
    /*
     * In the place of opened(): both HELLOs are there, and the gateway has no key. Only the
     * messages of WHEN_PAIRING can be sent and come. NULL: such a gateway is hung up on.
     */
    void (*met)(void *arg);
};

struct channel_options {
    enum message_sender self; /* SENDER_VPS (TLS server) or SENDER_GATEWAY (client) */
    unsigned keepalive_secs;  /* on a gateway; the VPS takes the gateway's */
    const char *program;      /* "gateway-agent 0.1.0" */
    bool look;                /* on a gateway: only see whether it would be let in */
    bool pair;                /* on a gateway: it has no key, but TLS_STRANGER_KEY */
    const struct channel_events *events;
    void *arg;
};

/*
 * With `look`, `opened` never comes: the channel ends once the keys and the versions fit,
 * as CHANNEL_END_GOODBYE with the reason GOODBYE_LOOK, or GOODBYE_REPLACED if a gateway of
 * that name is online. A VPS that does not know the question just closes:
 * CHANNEL_END_PEER, when channel_peer_program() is not empty.
 *
 * Takes over a connected socket; on failure it stays the caller's. -ENOMEM or
 * another -errno.
 */
int channel_new(uv_loop_t *loop, struct tls_config *tls, int fd,
                const struct channel_options *options, struct channel **ret_channel);
/* Accepts NULL. No callback runs any more. */
void channel_free(struct channel *channel);

/*
 * Queues one message. If the peer lets the queue grow beyond QUEUE_MAX (queue.h)
 * the channel ends (from the loop, not from inside this call) and -ENOBUFS is
 * returned; -ENOTCONN if the channel is not open, -EPROTONOSUPPORT if the peer's version
 * of the protocol has no such message.
 */
int channel_send(struct channel *channel, const struct message *message);
/* Sends GOODBYE if it can be sent at once, and closes. No callback runs any more. */
void channel_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text);

/*
 * Somebody waits for what the peer was sent: it has KEEPALIVE_PRESSED_MS to say anything
 * at all (a PING asks for that), or the channel is dead (CHANNEL_END_TIMEOUT). If it was
 * heard within the last second, the PING and that time begin a second later.
 */
void channel_press(struct channel *channel);
/*
 * This machine does not have the address any more. If it is the channel's own end of the
 * connection, no packet can come any more: it ends (CHANNEL_END_PEER, from the loop), and
 * true is returned.
 */
bool channel_lost_address(struct channel *channel, const struct addr *addr);

/*
 * On the VPS: the peer has shown that it has the key (tls_peer_is_proven()), and has
 * finished the handshake of TLS, respectively.
 */
bool channel_peer_is_proven(const struct channel *channel);
bool channel_is_shaken(const struct channel *channel);
/* On the VPS: it has no key, and never had any other intention than to be paired. */
bool channel_peer_is_stranger(const struct channel *channel);
/* The gateway's name, on the VPS once open. */
const char *channel_peer_name(const struct channel *channel);
/* And which of its keys it has shown (tls_key_number()). */
unsigned channel_peer_key(const struct channel *channel);
/* What the peer calls its program, and the reason of its GOODBYE (0: none). */
const char *channel_peer_program(const struct channel *channel);
enum goodbye_reason channel_peer_goodbye(const struct channel *channel);
/* Of the protocol, as was agreed on; 0 before. */
unsigned channel_version(const struct channel *channel);
/* The last measured round trip in microseconds; 0 before the first PONG, and at the end. */
uint64_t channel_rtt_us(const struct channel *channel);

#endif
