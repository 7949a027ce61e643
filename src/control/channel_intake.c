/* What comes in: frames out of bytes, messages out of frames, each to whom it is for. */
#include <errno.h>
#include <string.h>

#include "base/crypto.h"
#include "control/accord.h"
#include "control/channel_core.h"
#include "control/hello.h"

enum { READS_PER_TURN = 64 /* so that one busy peer does not hold up the loop */ };

/* ---- receiving ------------------------------------------------------------ */

static void refuse_hello(struct channel *channel, int err, const char *why)
{
    if (err == -EPROTONOSUPPORT) {
        channel_send_goodbye(channel, GOODBYE_VERSION, why);
        channel_fail(channel, CHANNEL_END_VERSION, why);
    } else {
        channel_fail(channel, CHANNEL_END_PROTOCOL, why);
    }
}

/* The other side is there, and proven or not: the deadline is over, and life begins. */
static void begin(struct channel *channel, const struct hello_terms *terms)
{
    bool stays_pairing = channel_pairs(channel);
    const struct channel_events *events = channel->options.events;
    if (stays_pairing && !events->met) {
        channel_fail(channel, CHANNEL_END_PROTOCOL,
                     "a gateway without a key, which is not expected here");
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
    if (channel_pairs(channel)) {
        accord_make_plain(channel->peer_program);
    }
    int err = hello_agree(&ours.hello, hello, &terms, &why);
    if (err < 0) {
        refuse_hello(channel, err, why.text);
        return;
    }
    if (channel->options.look) {
        channel_send_goodbye(channel, GOODBYE_LOOK, "");
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
        if (channel_is_over(channel)) {
            return;
        }
        channel_send_goodbye(channel, (enum goodbye_reason)answer.reason, answer.text);
    }
    struct message_goodbye last = *goodbye;
    if (channel_pairs(channel)) {
        accord_make_plain(last.text);
    }
    channel_fail(channel, CHANNEL_END_GOODBYE, last.text);
}

static void on_ping(struct channel *channel, const struct message_ping *ping)
{
    struct message pong = {.type = MESSAGE_PONG, .pong.sent_us = ping->sent_us};
    channel_enqueue(channel, &pong);
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
    return !channel_is_live(channel) ? "a message before HELLO"
           : type == MESSAGE_HELLO   ? "a second HELLO"
                                     : "a message that is out of place";
}

static void on_frame(struct channel *channel, const uint8_t *body, size_t len)
{
    enum message_sender peer = channel->options.self == SENDER_VPS ? SENDER_GATEWAY : SENDER_VPS;
    struct message message = {0};
    int err = message_decode(body, len, peer, channel_wire_version(channel), &message);
    if (err < 0) {
        channel_fail(channel, CHANNEL_END_PROTOCOL,
                     err == -EPROTONOSUPPORT ? "a message of a later version"
                                             : "a message that makes no sense");
    } else if (!message_may_come(message.type, state_of(channel))) {
        channel_fail(channel, CHANNEL_END_PROTOCOL, out_of_place(channel, message.type));
    } else {
        on_message(channel, &message);
    }
    crypto_wipe(&message, sizeof message); /* it may have held a token */
}

static void feed(struct channel *channel, const uint8_t *data, size_t len)
{
    while (len > 0 && !channel_is_over(channel)) {
        long taken = frame_feed(&channel->in, data, len);
        if (taken < 0) {
            channel_fail(channel, CHANNEL_END_PROTOCOL, "a frame of impossible length");
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

void channel_go_on_soon(struct channel *channel)
{
    if (!channel_is_over(channel) && tls_holds_bytes(channel->tls)) {
        timer_set(channel->soon, 0);
    }
}

void channel_receive(struct channel *channel)
{
    uint8_t buf[FRAME_MAX];
    for (int i = 0; i < READS_PER_TURN && !channel_is_over(channel); i++) {
        long got = tls_read(channel->tls, buf, sizeof buf);
        if (got == TLS_WANT_READ || got == TLS_WANT_WRITE) {
            break;
        }
        if (got <= 0) {
            channel_fail_io(channel, got);
            return;
        }
        keepalive_heard(channel->keepalive);
        feed(channel, buf, (size_t)got);
        if (!channel_is_over(channel) && !tls_holds_bytes(channel->tls)) {
            return; /* and what the socket still has wakes us again */
        }
    }
    channel_go_on_soon(channel);
}
