#include "control/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/host.h"
#include "base/net.h"
#include "base/text.h"
#include "base/timer.h"
#include "base/watch.h"
#include "control/frame.h"
#include "shared/gateway_name.h"

/*
 * The policy of a channel. Its one deadline timer means, by state: the whole
 * handshake including HELLO (CHANNEL_HANDSHAKE_MS), or the next keepalive.
 */
enum {
    PINGS_UNANSWERED_MAX = 2,
    KEEPALIVE_SECS_MAX = 3600,
    READS_PER_TURN = 64, /* so that one busy peer does not hold up the loop */
    HEARD_LATELY_MS = 1000,
    LAST_TURN_MS = 50,
};

enum state { STATE_HANDSHAKE, STATE_HELLO, STATE_OPEN, STATE_CLOSED };

struct channel {
    uv_loop_t *loop;
    struct channel_options options;
    enum state state;
    int fd;
    struct tls *tls;
    struct watch *watch;
    struct timer *deadline;
    struct timer *soon;    /* runs the channel again in the next turn of the loop */
    struct timer *pressed; /* channel_press() */
    bool pressing;         /* nothing has come since */
    bool asked;            /* a PING went out for that */
    bool overdue;          /* and its time is over */
    uint64_t heard_ms;     /* when something came last */

    struct frame in;
    uint8_t *queue; /* encoded frames on their way out */
    size_t queued, queue_cap;

    enum channel_end end; /* of a failure that is to be told from the loop */
    struct why end_why;
    bool failed;
    bool running; /* inside run(): memory must outlive it */
    bool freed;

    unsigned version; /* of the protocol */
    unsigned keepalive_ms;
    unsigned unanswered;
    uint64_t rtt_us;
    bool proven; /* channel_peer_is_proven() */
    enum goodbye_reason peer_goodbye;
    char peer_name[GATEWAY_NAME_MAX + 1];
    char peer_program[64];
};

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

static int fail_io(struct channel *channel, long err)
{
    if (err == -EPROTO) {
        return fail(channel, CHANNEL_END_PROTOCOL, "broken TLS records");
    }
    return fail(channel, CHANNEL_END_PEER, strerror((int)-err));
}

static void release(struct channel *channel)
{
    channel->state = STATE_CLOSED;
    watch_free(channel->watch);
    timer_free(channel->deadline);
    timer_free(channel->soon);
    timer_free(channel->pressed);
    tls_free(channel->tls);
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    channel->watch = NULL;
    channel->deadline = NULL;
    channel->soon = NULL;
    channel->pressed = NULL;
    channel->tls = NULL;
    channel->fd = -1;
}

/* ---- sending -------------------------------------------------------------- */

static void update_watch(struct channel *channel, bool want_write)
{
    watch_set(channel->watch, WATCH_READ | (want_write ? WATCH_WRITE : 0));
}

static int flush(struct channel *channel)
{
    while (channel->queued > 0) {
        long sent = tls_write(channel->tls, channel->queue, channel->queued);
        if (sent == TLS_WANT_WRITE || sent == TLS_WANT_READ) {
            break;
        }
        if (sent < 0) {
            return fail_io(channel, sent);
        }
        channel->queued -= (size_t)sent;
        memmove(channel->queue, channel->queue + sent, channel->queued);
        crypto_wipe(channel->queue + channel->queued, (size_t)sent); /* there may be tokens in it */
    }
    update_watch(channel, channel->queued > 0);
    return 0;
}

static int queue_reserve(struct channel *channel, size_t more)
{
    size_t need = channel->queued + more;
    if (need > CHANNEL_QUEUE_MAX) {
        return -ENOBUFS;
    }
    if (need <= channel->queue_cap) {
        return 0;
    }
    size_t cap = need < FRAME_MAX * 4 ? FRAME_MAX * 4 : need * 2;
    uint8_t *queue = realloc(channel->queue, cap);
    if (!queue) {
        return -ENOBUFS;
    }
    channel->queue = queue;
    channel->queue_cap = cap;
    return 0;
}

/* What goes out or comes before one is agreed on is of the first. */
static unsigned wire_version(const struct channel *channel)
{
    return channel->version ? channel->version : PROTOCOL_MIN_VERSION;
}

static int enqueue(struct channel *channel, const struct message *message)
{
    if (queue_reserve(channel, FRAME_MAX) < 0) {
        return fail(channel, CHANNEL_END_PEER, "the peer does not read what it is sent");
    }
    uint8_t *frame = channel->queue + channel->queued;
    long len = message_encode(message, wire_version(channel), frame + FRAME_HEADER, MESSAGE_MAX);
    if (len < 0) {
        return (int)len;
    }
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    channel->queued += FRAME_HEADER + (size_t)len;
    return flush(channel);
}

int channel_send(struct channel *channel, const struct message *message)
{
    if (channel->state != STATE_OPEN || channel->failed) {
        return -ENOTCONN;
    }
    int err = enqueue(channel, message);
    if (channel->failed) {
        timer_set(channel->soon, 0); /* the owner learns of it from the loop */
        return -ENOBUFS;
    }
    return err;
}

static int send_hello(struct channel *channel)
{
    struct message message = {.type = MESSAGE_HELLO};
    message.hello.min_version = PROTOCOL_MIN_VERSION;
    message.hello.max_version = PROTOCOL_MAX_VERSION;
    message.hello.keepalive_secs = (uint16_t)channel->options.keepalive_secs;
    struct text program = text_over(message.hello.program, sizeof message.hello.program);
    text_add(&program, "%s", channel->options.program);
    return enqueue(channel, &message);
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

static int on_hello(struct channel *channel, const struct message_hello *hello)
{
    memcpy(channel->peer_program, hello->program, sizeof channel->peer_program);
    if (hello->max_version < PROTOCOL_MIN_VERSION || hello->min_version > PROTOCOL_MAX_VERSION) {
        struct why why;
        bool peer_is_old = hello->max_version < PROTOCOL_MIN_VERSION;
        why_set(&why, 0, "%s speaks protocol versions %u to %u, %s speaks %d to %d: upgrade %s",
                hello->program, hello->min_version, hello->max_version, channel->options.program,
                PROTOCOL_MIN_VERSION, PROTOCOL_MAX_VERSION,
                peer_is_old ? hello->program : channel->options.program);
        send_goodbye(channel, GOODBYE_VERSION, why.text);
        return fail(channel, CHANNEL_END_VERSION, why.text);
    }
    bool is_vps = channel->options.self == SENDER_VPS;
    unsigned keepalive = is_vps ? hello->keepalive_secs : channel->options.keepalive_secs;
    if (keepalive < 1 || keepalive > KEEPALIVE_SECS_MAX) {
        return fail(channel, CHANNEL_END_PROTOCOL, "a keepalive interval out of bounds");
    }
    if (channel->options.look) {
        send_goodbye(channel, GOODBYE_LOOK, "");
        return 0;
    }
    channel->version = hello->max_version < PROTOCOL_MAX_VERSION ? hello->max_version
                                                                 : PROTOCOL_MAX_VERSION;
    channel->keepalive_ms = keepalive * 1000;
    channel->state = STATE_OPEN;
    timer_set(channel->deadline, channel->keepalive_ms);
    channel->options.events->opened(channel->options.arg);
    return 0;
}

static int on_pong(struct channel *channel, const struct message_pong *pong)
{
    uint64_t now = clock_us();
    if (pong->sent_us <= now) {
        channel->rtt_us = now - pong->sent_us;
    }
    channel->unanswered = 0;
    return 0;
}

static int on_goodbye(struct channel *channel, const struct message_goodbye *goodbye)
{
    channel->peer_goodbye = (enum goodbye_reason)goodbye->reason;
    if (goodbye->reason == GOODBYE_LOOK && channel->state == STATE_HELLO &&
        channel->options.events->looked) {
        struct message_goodbye answer = {.reason = GOODBYE_LOOK};
        channel->options.events->looked(channel->options.arg, &answer);
        send_goodbye(channel, (enum goodbye_reason)answer.reason, answer.text);
    }
    return fail(channel, CHANNEL_END_GOODBYE, goodbye->text);
}

static int on_ping(struct channel *channel, const struct message_ping *ping)
{
    struct message pong = {.type = MESSAGE_PONG, .pong.sent_us = ping->sent_us};
    return enqueue(channel, &pong);
}

/* Without an on_NAME() for each message that both sides may send, this does not compile. */
static int on_message(struct channel *channel, const struct message *message)
{
    switch (message->type) {
#define MESSAGE_OF_BOTH(NAME, name) \
    case MESSAGE_##NAME:            \
        return on_##name(channel, &message->name);
#include "control/messages.def"
    default:
        channel->options.events->received(channel->options.arg, message);
        return 0;
    }
}

static int check_state(struct channel *channel, enum message_type type)
{
    bool is_open = channel->state == STATE_OPEN;
    if (message_may_come(type, is_open ? WHEN_OPEN : WHEN_GREETING)) {
        return 0;
    }
    return fail(channel, CHANNEL_END_PROTOCOL,
                is_open ? "a second HELLO" : "a message before HELLO");
}

static int on_frame(struct channel *channel, const uint8_t *body, size_t len)
{
    enum message_sender peer = channel->options.self == SENDER_VPS ? SENDER_GATEWAY : SENDER_VPS;
    struct message message;
    int err = message_decode(body, len, peer, wire_version(channel), &message);
    if (err < 0) {
        return fail(channel, CHANNEL_END_PROTOCOL,
                    err == -EPROTONOSUPPORT ? "a message of a later version"
                                            : "a message that makes no sense");
    }
    err = check_state(channel, message.type);
    err = err < 0 ? err : on_message(channel, &message);
    crypto_wipe(&message, sizeof message); /* it may have held a token */
    return err;
}

static int feed(struct channel *channel, const uint8_t *data, size_t len)
{
    while (len > 0 && !is_over(channel)) {
        long taken = frame_feed(&channel->in, data, len);
        if (taken < 0) {
            return fail(channel, CHANNEL_END_PROTOCOL, "a frame of impossible length");
        }
        data += taken;
        len -= (size_t)taken;
        size_t body_len;
        const uint8_t *body = frame_body(&channel->in, &body_len);
        if (body && on_frame(channel, body, body_len) < 0) {
            return -1;
        }
        if (body) {
            frame_reset(&channel->in);
        }
    }
    return 0;
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
            if (got == 0) {
                fail(channel, CHANNEL_END_PEER, "the peer closed the connection");
            } else {
                fail_io(channel, got);
            }
            return;
        }
        channel->pressing = false;
        channel->heard_ms = clock_ms();
        if (feed(channel, buf, (size_t)got) < 0) {
            return;
        }
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
    channel->state = STATE_HELLO;
    if (!channel->options.look) {
        send_hello(channel);
    }
}

static void run(struct channel *channel)
{
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

static void on_soon(void *arg)
{
    run(arg);
}

static int ping(struct channel *channel)
{
    struct message message = {.type = MESSAGE_PING, .ping.sent_us = clock_us()};
    return enqueue(channel, &message);
}

static void ask(struct channel *channel)
{
    channel->asked = true;
    timer_set(channel->pressed, CHANNEL_PRESSED_MS);
    if (ping(channel) < 0) {
        timer_set(channel->soon, 0);
    }
}

/* If it was us who slept, an answer may be in the socket already: one more turn of the loop. */
static void on_pressed(void *arg)
{
    struct channel *channel = arg;
    if (channel->pressing && !channel->asked) {
        ask(channel);
    } else if (channel->pressing && !channel->overdue) {
        channel->overdue = true;
        timer_set(channel->pressed, LAST_TURN_MS);
    } else if (channel->pressing) {
        fail(channel, CHANNEL_END_TIMEOUT, "a ping that could not wait went unanswered");
        run(channel);
    }
}

static void on_deadline(void *arg)
{
    struct channel *channel = arg;
    if (channel->state != STATE_OPEN) {
        fail(channel, CHANNEL_END_TIMEOUT, "the handshake took too long");
    } else if (channel->unanswered >= PINGS_UNANSWERED_MAX) {
        fail(channel, CHANNEL_END_TIMEOUT, "two pings went unanswered");
    } else {
        ping(channel);
        channel->unanswered++;
        timer_set(channel->deadline, channel->keepalive_ms);
    }
    if (channel->failed) {
        run(channel);
    }
}

/* ---- life ----------------------------------------------------------------- */

int channel_new(uv_loop_t *loop, struct tls_config *tls, int fd,
                const struct channel_options *options, struct channel **ret_channel)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        return -ENOMEM;
    }
    channel->loop = loop;
    channel->options = *options;
    channel->fd = fd;
    channel->watch = watch_new(loop, fd, on_ready, channel);
    channel->deadline = timer_new(loop, on_deadline, channel);
    channel->soon = timer_new(loop, on_soon, channel);
    channel->pressed = timer_new(loop, on_pressed, channel);
    if (!channel->watch || !channel->deadline || !channel->soon || !channel->pressed ||
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
    if (channel->queue) {
        crypto_wipe(channel->queue, channel->queue_cap);
    }
    free(channel->queue);
    channel->queue = NULL;
    crypto_wipe(&channel->in, sizeof channel->in);
    channel->freed = true;
    if (!channel->running) {
        free(channel);
    }
}

void channel_goodbye(struct channel *channel, enum goodbye_reason reason, const char *text)
{
    if (channel->state == STATE_OPEN && !channel->failed) {
        send_goodbye(channel, reason, text);
        shutdown(channel->fd, SHUT_WR);
    }
    release(channel);
}

void channel_press(struct channel *channel)
{
    if (channel->state != STATE_OPEN || channel->failed || channel->pressing) {
        return;
    }
    channel->pressing = true;
    channel->asked = channel->overdue = false;
    /* Mostly the answer to what it was sent comes first, and nothing needs to be asked. */
    if (channel->heard_ms > 0 && clock_ms() - channel->heard_ms < HEARD_LATELY_MS) {
        timer_set(channel->pressed, HEARD_LATELY_MS);
    } else {
        ask(channel);
    }
}

bool channel_lost_address(struct channel *channel, const struct addr *addr)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    struct addr local;
    char host[ADDR_HOST_MAX], text[128];
    if (channel->fd < 0 || channel->failed ||
        getsockname(channel->fd, (struct sockaddr *)&own, &len) < 0 ||
        addr_from((struct sockaddr *)&own, &local) < 0 || !addr_same_host(&local, addr)) {
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

bool channel_is_shaken(const struct channel *channel)
{
    return channel->peer_name[0] != '\0';
}

const char *channel_peer_name(const struct channel *channel)
{
    return channel->peer_name;
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
    return channel->rtt_us;
}
