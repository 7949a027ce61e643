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
#include "base/timer.h"
#include "base/watch.h"
#include "control/accord.h"
#include "control/frame.h"
#include "control/hello.h"
#include "control/keepalive.h"
#include "control/queue.h"
#include "shared/gateway_name.h"

enum { READS_PER_TURN = 64 /* so that one busy peer does not hold up the loop */ };

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

/* The HELLOs are exchanged, so messages can be. */
static bool is_live(const struct channel *channel)
{
    return channel->state == STATE_OPEN || channel->state == STATE_PAIRING;
}

/* Neither side has proven anything: what the peer says of itself is shown beside a code. */
static bool pairs(const struct channel *channel)
{
    return channel->options.pair || channel->stranger;
}

/* ---- ending --------------------------------------------------------------- */

/* Nothing more is read: it failed, or the owner has ended it in one of its callbacks. */
static bool is_over(const struct channel *channel)
{
    return channel->freed || channel->failed || channel->state == STATE_CLOSED;
}

/* Remembers the first failure; run() tells the owner. Returns -1 for `return fail(...)`. */
static int fail(struct channel *channel, enum channel_end end, const char *text)
{
    if (!channel->failed) {
        channel->failed = true;
        channel->end = end;
        why_set(&channel->end_why, 0, "%s", text);
    }
    return -1;
}

/* 0: the end of the stream, or the -errno of tls_read() and tls_write(). */
static int fail_io(struct channel *channel, long err)
{
    if (err == -EPROTO) {
        return fail(channel, CHANNEL_END_PROTOCOL, "broken TLS records");
    }
    return fail(channel, CHANNEL_END_PEER,
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
        return fail_io(channel, err);
    }
    watch_set(channel->watch, WATCH_READ | (queue_is_empty(&channel->out) ? 0 : WATCH_WRITE));
    return 0;
}

/* What goes out or comes in before one is agreed on is of the first. */
static unsigned wire_version(const struct channel *channel)
{
    return channel->version ? channel->version : PROTOCOL_FIRST_VERSION;
}

static int enqueue(struct channel *channel, const struct message *message)
{
    int err = queue_add(&channel->out, message, wire_version(channel));
    if (err == -ENOBUFS) {
        return fail(channel, CHANNEL_END_PEER, "the peer does not read what it is sent");
    }
    return err < 0 ? err : flush(channel);
}

int channel_send(struct channel *channel, const struct message *message)
{
    if (!is_live(channel) || channel->failed) {
        return -ENOTCONN;
    }
    int err = enqueue(channel, message);
    if (channel->failed) {
        timer_set(channel->soon, 0); /* the owner learns of it from the loop */
        return -ENOBUFS;
    }
    return err;
}

static void send_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text)
{
    struct message message = {.type = MESSAGE_GOODBYE};
    message.goodbye.reason = (uint8_t)reason;
    struct text reason_text = text_over(message.goodbye.text, sizeof message.goodbye.text);
    text_add(&reason_text, "%s", text);
    enqueue(channel, &message);
    if (reason != GOODBYE_LOOK || channel->options.self == SENDER_VPS) {
        tls_close_notify(channel->tls); /* else there is an answer to come */
    }
}

/* ---- receiving ------------------------------------------------------------ */

static void refuse_hello(struct channel *channel, int err, const char *why)
{
    if (err == -EPROTONOSUPPORT) {
        send_goodbye(channel, GOODBYE_VERSION, why);
        fail(channel, CHANNEL_END_VERSION, why);
    } else {
        fail(channel, CHANNEL_END_PROTOCOL, why);
    }
}

/* The other side is there, and proven or not: the deadline is over, and life begins. */
static void begin(struct channel *channel, const struct hello_terms *terms)
{
    bool stays_pairing = pairs(channel);
    const struct channel_events *events = channel->options.events;
    if (stays_pairing && !events->met) {
        fail(channel, CHANNEL_END_PROTOCOL, "a gateway without a key, which is not expected here");
        return;
    }
    channel->version = terms->version;
    channel->state = stays_pairing ? STATE_PAIRING : STATE_OPEN;
    timer_stop(channel->deadline);
    keepalive_begin(channel->keepalive, terms->keepalive_secs * (uint64_t)1000);
    if (stays_pairing) {
        events->met(channel->options.arg);
    } else {
        events->opened(channel->options.arg);
    }
}

static void on_hello(struct channel *channel, const struct message_hello *hello)
{
    struct message ours = hello_make(channel->options.program, channel->options.keepalive_secs);
    struct hello_terms terms;
    struct why why;
    memcpy(channel->peer_program, hello->program, sizeof channel->peer_program);
    if (pairs(channel)) {
        accord_make_plain(channel->peer_program);
    }
    int err = hello_agree(&ours.hello, hello, &terms, &why);
    if (err < 0) {
        refuse_hello(channel, err, why.text);
        return;
    }
    if (channel->options.look) {
        send_goodbye(channel, GOODBYE_LOOK, "");
        return;
    }
    begin(channel, &terms);
}

static void on_goodbye(struct channel *channel, const struct message_goodbye *goodbye)
{
    channel->peer_goodbye = (enum goodbye_reason)goodbye->reason;
    if (goodbye->reason == GOODBYE_LOOK && channel->state == STATE_HELLO &&
        channel->options.events->looked) {
        struct message_goodbye answer = {.reason = GOODBYE_LOOK};
        channel->options.events->looked(channel->options.arg, &answer);
        if (is_over(channel)) {
            return;
        }
        send_goodbye(channel, (enum goodbye_reason)answer.reason, answer.text);
    }
    struct message_goodbye last = *goodbye;
    if (pairs(channel)) {
        accord_make_plain(last.text);
    }
    fail(channel, CHANNEL_END_GOODBYE, last.text);
}

static void on_ping(struct channel *channel, const struct message_ping *ping)
{
    struct message pong = {.type = MESSAGE_PONG, .pong.sent_us = ping->sent_us};
    enqueue(channel, &pong);
}

static void on_pong(struct channel *channel, const struct message_pong *pong)
{
    keepalive_answered(channel->keepalive, pong->sent_us);
}

/* Without an on_NAME() for each message that both sides may send, this does not compile. */
static void on_message(struct channel *channel, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_BOTH(NAME, name)         \
    case MESSAGE_##NAME:                    \
        on_##name(channel, &message->name); \
        break;
#include "control/messages.def"
    default: /* the owner's */
        channel->options.events->received(channel->options.arg, message);
    }
}

static enum message_when state_of(const struct channel *channel)
{
    return channel->state == STATE_OPEN      ? WHEN_OPEN
           : channel->state == STATE_PAIRING ? WHEN_PAIRING
                                             : WHEN_GREETING;
}

static const char *out_of_place(const struct channel *channel, enum message_type type)
{
    return !is_live(channel)       ? "a message before HELLO"
           : type == MESSAGE_HELLO ? "a second HELLO"
                                   : "a message that is out of place";
}

static void on_frame(struct channel *channel, const uint8_t *body, size_t len)
{
    enum message_sender peer = channel->options.self == SENDER_VPS ? SENDER_GATEWAY : SENDER_VPS;
    struct message message = {0};
    int err = message_decode(body, len, peer, wire_version(channel), &message);
    if (err < 0) {
        fail(channel, CHANNEL_END_PROTOCOL,
             err == -EPROTONOSUPPORT ? "a message of a later version"
                                     : "a message that makes no sense");
    } else if (!message_may_come(message.type, state_of(channel))) {
        fail(channel, CHANNEL_END_PROTOCOL, out_of_place(channel, message.type));
    } else {
        on_message(channel, &message);
    }
    crypto_wipe(&message, sizeof message); /* it may have held a token */
}

static void feed(struct channel *channel, const uint8_t *data, size_t len)
{
    while (len > 0 && !is_over(channel)) {
        long taken = frame_feed(&channel->in, data, len);
        if (taken < 0) {
            fail(channel, CHANNEL_END_PROTOCOL, "a frame of impossible length");
            return;
        }
        data += taken;
        len -= (size_t)taken;
        size_t body_len;
        const uint8_t *body = frame_body(&channel->in, &body_len);
        if (body) {
            on_frame(channel, body, body_len);
            frame_reset(&channel->in);
        }
    }
}

/* What TLS has taken from the socket wakes nobody. */
static void go_on_soon(struct channel *channel)
{
    if (!is_over(channel) && tls_holds_bytes(channel->tls)) {
        timer_set(channel->soon, 0);
    }
}

static void receive(struct channel *channel)
{
    uint8_t buf[FRAME_MAX];
    for (int i = 0; i < READS_PER_TURN && !is_over(channel); i++) {
        long got = tls_read(channel->tls, buf, sizeof buf);
        if (got == TLS_WANT_READ || got == TLS_WANT_WRITE) {
            break;
        }
        if (got <= 0) {
            fail_io(channel, got);
            return;
        }
        keepalive_heard(channel->keepalive);
        feed(channel, buf, (size_t)got);
        if (!is_over(channel) && !tls_holds_bytes(channel->tls)) {
            return; /* and what the socket still has wakes us again */
        }
    }
    go_on_soon(channel);
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
        go_on_soon(channel);
        return;
    }
    if (err < 0) {
        fail(channel, err == -EACCES ? CHANNEL_END_AUTH : CHANNEL_END_PEER, why.text);
        return;
    }
    memcpy(channel->peer_name, tls_identity(channel->tls), sizeof channel->peer_name);
    channel->peer_key = tls_key_number(channel->tls);
    channel->state = STATE_HELLO;
    if (!channel->options.look) {
        struct message hello = hello_make(channel->options.program,
                                          channel->options.keepalive_secs);
        enqueue(channel, &hello);
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
    if (channel->state != STATE_HANDSHAKE && !is_over(channel) && flush(channel) == 0) {
        receive(channel);
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
    if (enqueue(channel, &message) < 0) {
        timer_set(channel->soon, 0); /* the owner may be the one who presses */
    }
}

static void on_dead(void *arg, const char *why)
{
    fail(arg, CHANNEL_END_TIMEOUT, why);
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
    if (is_live(channel) && !channel->failed) {
        send_goodbye(channel, reason, text);
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
    fail(channel, CHANNEL_END_PEER, text);
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
