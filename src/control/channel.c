/*
 * The states of a channel:
 *
 *     handshake -> hello -> open -> closed
 *                       \-> pairing -> closed
 *
 * handshake   TLS, in which both sides prove that they have the key
 * hello       our HELLO is out (unless we only look), the peer's is to come: the messages of
 *             WHEN_GREETING. Both states together have CHANNEL_HANDSHAKE_MS
 * open        the messages of WHEN_OPEN, in the version that was agreed on; keepalive.h says
 *             when the peer is dead
 * pairing     the messages of WHEN_PAIRING, with a gateway that has no key. It never becomes
 *             open: with the key that comes of it, the gateway connects anew
 * closed      nothing is left but memory
 *
 * The owner is called from run() alone, which the loop calls. What fails deeper down, or in a
 * call of the owner's (channel_send(), channel_press()), is only noted by fail(); run() tells
 * of it at its end, and where it is not on the stack, `soon` has it run in the next turn. So
 * the owner may free the channel, or end it with channel_goodbye(), in any of its callbacks,
 * and no call of its own does that behind its back. `running` says that run() is on the stack:
 * after each callback it looks at is_over(), and `freed` leaves the memory to it.
 */
#include "control/channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/host.h"
#include "base/net.h"
#include "base/text.h"
#include "control/channel_core.h"
#include "control/hello.h"

bool channel_is_live(const struct channel *channel)
{
    return channel->state == STATE_OPEN || channel->state == STATE_PAIRING;
}

bool channel_pairs(const struct channel *channel)
{
    return channel->options.pair || channel->stranger;
}

/* ---- ending --------------------------------------------------------------- */

bool channel_is_over(const struct channel *channel)
{
    return channel->freed || channel->failed || channel->state == STATE_CLOSED;
}

int channel_fail(struct channel *channel, enum channel_end end, const char *text)
{
    if (!channel->failed) {
        channel->failed = true;
        channel->end = end;
        why_set(&channel->end_why, 0, "%s", text);
    }
    return -1;
}

int channel_fail_io(struct channel *channel, long err)
{
    if (err == -EPROTO) {
        return channel_fail(channel, CHANNEL_END_PROTOCOL, "broken TLS records");
    }
    return channel_fail(channel, CHANNEL_END_PEER,
                        err == 0 ? "the peer closed the connection" : strerror((int)-err));
}

static void release(struct channel *channel)
{
    channel->state = STATE_CLOSED;
    watch_free(channel->watch);
    timer_free(channel->deadline);
    timer_free(channel->soon);
    keepalive_free(channel->keepalive);
    tls_free(channel->tls);
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    channel->watch = NULL;
    channel->deadline = NULL;
    channel->soon = NULL;
    channel->keepalive = NULL;
    channel->tls = NULL;
    channel->fd = -1;
}

/* ---- sending -------------------------------------------------------------- */

static int flush(struct channel *channel)
{
    int err = queue_send(&channel->out, channel->tls);
    if (err < 0) {
        return channel_fail_io(channel, err);
    }
    watch_set(channel->watch, WATCH_READ | (queue_is_empty(&channel->out) ? 0 : WATCH_WRITE));
    return 0;
}

unsigned channel_wire_version(const struct channel *channel)
{
    return channel->version ? channel->version : PROTOCOL_FIRST_VERSION;
}

int channel_enqueue(struct channel *channel, const struct message *message)
{
    int err = queue_add(&channel->out, message, channel_wire_version(channel));
    if (err == -ENOBUFS) {
        return channel_fail(channel, CHANNEL_END_PEER, "the peer does not read what it is sent");
    }
    return err < 0 ? err : flush(channel);
}

int channel_send(struct channel *channel, const struct message *message)
{
    if (!channel_is_live(channel) || channel->failed) {
        return -ENOTCONN;
    }
    int err = channel_enqueue(channel, message);
    if (channel->failed) {
        timer_set(channel->soon, 0); /* the owner learns of it from the loop */
        return -ENOBUFS;
    }
    return err;
}

void channel_send_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text)
{
    struct message message = {.type = MESSAGE_GOODBYE};
    message.goodbye.reason = (uint8_t)reason;
    struct text reason_text = text_over(message.goodbye.text, sizeof message.goodbye.text);
    text_add(&reason_text, "%s", text);
    channel_enqueue(channel, &message);
    if (reason != GOODBYE_LOOK || channel->options.self == SENDER_VPS) {
        tls_close_notify(channel->tls); /* else there is an answer to come */
    }
}

/* ---- the states ----------------------------------------------------------- */

static void shake_hands(struct channel *channel)
{
    struct why why = {""};
    int err = tls_handshake(channel->tls, &why);
    channel->proven = tls_peer_is_proven(channel->tls);
    channel->stranger = tls_peer_is_stranger(channel->tls);
    if (err == TLS_WANT_READ || err == TLS_WANT_WRITE) {
        watch_set(channel->watch, err == TLS_WANT_READ ? WATCH_READ : WATCH_WRITE);
        channel_go_on_soon(channel);
        return;
    }
    if (err < 0) {
        channel_fail(channel, err == -EACCES ? CHANNEL_END_AUTH : CHANNEL_END_PEER, why.text);
        return;
    }
    memcpy(channel->peer_name, tls_identity(channel->tls), sizeof channel->peer_name);
    channel->peer_key = tls_key_number(channel->tls);
    channel->state = STATE_HELLO;
    if (!channel->options.look) {
        struct message hello = hello_make(channel->options.program,
                                          channel->options.keepalive_secs);
        channel_enqueue(channel, &hello);
    }
}

/* Also a timer_fn. */
static void run(void *arg)
{
    struct channel *channel = arg;
    channel->running = true;
    if (channel->state == STATE_HANDSHAKE && !channel->failed) {
        shake_hands(channel);
    }
    if (channel->state != STATE_HANDSHAKE && !channel_is_over(channel) && flush(channel) == 0) {
        channel_receive(channel);
    }
    channel->running = false;

    if (channel->freed) {
        free(channel);
    } else if (channel->failed && channel->state != STATE_CLOSED) {
        /* Nothing more is heard from it; the owner frees it in this call. */
        release(channel);
        struct why why = channel->end_why;
        channel->options.events->closed(channel->options.arg, channel->end, &why);
    }
}

static void on_ready(void *arg, int events)
{
    (void)events;
    run(arg);
}

static void on_ping_due(void *arg, uint64_t sent_us)
{
    struct channel *channel = arg;
    struct message message = {.type = MESSAGE_PING, .ping.sent_us = sent_us};
    if (channel_enqueue(channel, &message) < 0) {
        timer_set(channel->soon, 0); /* the owner may be the one who presses */
    }
}

static void on_dead(void *arg, const char *why)
{
    channel_fail(arg, CHANNEL_END_TIMEOUT, why);
    run(arg);
}

static void on_deadline(void *arg)
{
    on_dead(arg, "the handshake took too long");
}

/* ---- life ----------------------------------------------------------------- */

int channel_new(uv_loop_t *loop, struct tls_config *tls, int fd,
                const struct channel_options *options, struct channel **ret_channel)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        return -ENOMEM;
    }
    channel->options = *options;
    if (options->self == SENDER_VPS) {
        channel->options.keepalive_secs = 0; /* it follows the gateway */
    }
    channel->fd = fd;
    channel->watch = watch_new(loop, fd, on_ready, channel);
    channel->deadline = timer_new(loop, on_deadline, channel);
    channel->soon = timer_new(loop, run, channel);
    struct keepalive_events events = {.ping = on_ping_due, .dead = on_dead, .arg = channel};
    channel->keepalive = keepalive_new(loop, events);
    if (!channel->watch || !channel->deadline || !channel->soon || !channel->keepalive ||
        tls_new(tls, fd, &channel->tls) < 0) {
        channel->fd = -1; /* stays the caller's */
        channel_free(channel);
        return -ENOMEM;
    }
    net_end_stalls(fd);
    timer_set(channel->deadline, CHANNEL_HANDSHAKE_MS);
    timer_set(channel->soon, 0); /* a client speaks first */
    *ret_channel = channel;
    return 0;
}

void channel_free(struct channel *channel)
{
    if (!channel || channel->freed) {
        return;
    }
    release(channel);
    queue_done(&channel->out);
    crypto_wipe(&channel->in, sizeof channel->in);
    channel->freed = true;
    if (!channel->running) {
        free(channel);
    }
}

void channel_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text)
{
    if (channel_is_live(channel) && !channel->failed) {
        channel_send_goodbye(channel, reason, text);
        shutdown(channel->fd, SHUT_WR);
    }
    release(channel);
}

void channel_press(struct channel *channel)
{
    if (channel->state == STATE_OPEN && !channel->failed) {
        keepalive_press(channel->keepalive);
    }
}

bool channel_lost_address(struct channel *channel, const struct addr *addr)
{
    struct addr own;
    char host[ADDR_HOST_MAX], text[128];
    if (channel->fd < 0 || channel->failed || net_own_end(channel->fd, &own) < 0 ||
        !addr_same_host(&own, addr)) {
        return false;
    }
    snprintf(text, sizeof text, "this machine does not have the address %s any more",
             addr_host_text(addr, host));
    channel_fail(channel, CHANNEL_END_PEER, text);
    timer_set(channel->soon, 0);
    return true;
}

bool channel_peer_is_proven(const struct channel *channel)
{
    return channel->proven;
}

bool channel_peer_is_stranger(const struct channel *channel)
{
    return channel->stranger;
}

bool channel_is_shaken(const struct channel *channel)
{
    return channel->peer_name[0] != '\0';
}

const char *channel_peer_name(const struct channel *channel)
{
    return channel->peer_name;
}

unsigned channel_peer_key(const struct channel *channel)
{
    return channel->peer_key;
}

const char *channel_peer_program(const struct channel *channel)
{
    return channel->peer_program;
}

enum goodbye_reason channel_peer_goodbye(const struct channel *channel)
{
    return channel->peer_goodbye;
}

unsigned channel_version(const struct channel *channel)
{
    return channel->version;
}

uint64_t channel_rtt_us(const struct channel *channel)
{
    return channel->keepalive ? keepalive_rtt_us(channel->keepalive) : 0;
}
