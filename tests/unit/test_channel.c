/*
 * The control channel on a real event loop: two of them that talk with each
 * other, and one against a raw peer that holds the key and says what it likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/timer.h"
#include "control/channel.h"
#include "control/frame.h"
#include "control/queue.h"
#include "on_loop.h"

static const uint8_t KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, yes..";
static const uint8_t OTHER_KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, no...";

/* ---- time ----------------------------------------------------------------- */

static uint64_t time_divisor = 1; /* deadlines of tests that wait for them come sooner */

void __real_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

static uint64_t clock_skew_ms;

uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + clock_skew_ms;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    __real_timer_set(timer, ms / time_divisor);
}

/* ---- the owner of a channel ----------------------------------------------- */

enum { FREE = 1, GOODBYE = 2 };

struct owner {
    struct channel *channel;
    unsigned opened, received, closed, met;
    enum channel_end end;
    struct why why;
    enum goodbye_reason reason;
    char program[64];
    struct message last;
    int when_opened, when_received; /* FREE, GOODBYE, both, or neither */
};

static void act(struct owner *owner, int what)
{
    if (what & GOODBYE) {
        channel_goodbye(owner->channel, GOODBYE_SHUTDOWN, "enough");
    }
    if (what & FREE) {
        channel_free(owner->channel);
        owner->channel = NULL;
    }
}

static void on_opened(void *arg)
{
    struct owner *owner = arg;
    owner->opened++;
    act(owner, owner->when_opened);
}

static void on_received(void *arg, const struct message *message)
{
    struct owner *owner = arg;
    owner->received++;
    owner->last = *message;
    act(owner, owner->when_received);
}

static void on_met(void *arg)
{
    struct owner *owner = arg;
    owner->met++;
    act(owner, owner->when_opened);
}

static void on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct owner *owner = arg;
    struct message ping = {.type = MESSAGE_PING};
    owner->closed++;
    owner->end = end;
    owner->why = *why;
    owner->reason = channel_peer_goodbye(owner->channel);
    snprintf(owner->program, sizeof owner->program, "%s", channel_peer_program(owner->channel));
    assert_int_equal(channel_send(owner->channel, &ping), -ENOTCONN);
    act(owner, FREE);
}

static const struct channel_events EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed};

/* ---- the world ------------------------------------------------------------ */

struct world {
    uv_loop_t loop;
    struct channel_events vps_events; /* where EVENTS will not do */
    struct tls_config *server, *client;
    struct owner vps, gateway;
    /* The raw peer. */
    int fd, channel_fd;
    struct tls *tls;
    struct frame in;
};

static int key_of(void *arg, int fd, const char *identity, unsigned nth,
                  uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    (void)fd;
    (void)arg;
    if (strcmp(identity, TLS_STRANGER) == 0) {
        memcpy(ret_key, TLS_STRANGER_KEY, CRYPTO_KEY_SIZE);
        return 0;
    }
    memcpy(ret_key, KEY, CRYPTO_KEY_SIZE);
    return nth == 0 && strcmp(identity, "home") == 0 ? 0 : -ENOENT;
}

static struct world *world_new(const uint8_t *key)
{
    struct world *world = calloc(1, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(tls_config_server(key_of, NULL, &world->server), 0);
    assert_int_equal(tls_config_client("home", key, &world->client), 0);
    world->fd = -1;
    return world;
}

static void world_free(struct world *world)
{
    channel_free(world->vps.channel);
    channel_free(world->gateway.channel);
    tls_free(world->tls);
    if (world->fd >= 0) {
        close(world->fd);
    }
    loop_end(&world->loop);
    tls_config_free(world->server);
    tls_config_free(world->client);
    free(world);
}

static void make_channel(struct world *world, bool vps, int fd, unsigned keepalive)
{
    struct owner *owner = vps ? &world->vps : &world->gateway;
    struct channel_options options = {
        .self = vps ? SENDER_VPS : SENDER_GATEWAY,
        .keepalive_secs = keepalive,
        .program = vps ? "vps-agent 1" : "gateway-agent 2",
        .events = &EVENTS,
        .arg = owner,
    };
    assert_int_equal(channel_new(&world->loop, vps ? world->server : world->client, fd, &options,
                                 &owner->channel),
                     0);
}

static void make_both(struct world *world, unsigned keepalive)
{
    int fds[2];
    tcp_pair(fds);
    make_channel(world, true, fds[0], 0);
    make_channel(world, false, fds[1], keepalive);
}

static struct world *world_of_two(void)
{
    struct world *world = world_new(KEY);
    make_both(world, 30);
    WAIT_FOR(&world->loop, world->vps.opened && world->gateway.opened);
    return world;
}

/* ---- the raw peer --------------------------------------------------------- */

/* A channel of one kind, and as its peer the raw one, done with the handshake. */
static struct world *world_with_raw(bool vps)
{
    struct world *world = world_new(KEY);
    int fds[2], err;
    tcp_pair(fds);
    make_channel(world, vps, fds[0], 30);
    world->channel_fd = fds[0];
    world->fd = fds[1];
    assert_int_equal(tls_new(vps ? world->client : world->server, world->fd, &world->tls), 0);
    WAIT_FOR(&world->loop, (err = tls_handshake(world->tls, NULL)) != TLS_WANT_READ);
    assert_int_equal(err, 0);
    return world;
}

static void raw_write(struct world *world, const void *bytes, size_t len)
{
    assert_int_equal(tls_write(world->tls, bytes, len), (long)len);
}

/* Of the first version that has it: the raw side's HELLO offers no other. */
static size_t framed(const struct message *message, uint8_t frame[FRAME_MAX])
{
    unsigned version = message_since(message->type);
    long len = message_encode(message, version, frame + FRAME_HEADER, MESSAGE_MAX);
    assert_true(len > 0);
    frame[0] = (uint8_t)(len >> 8);
    frame[1] = (uint8_t)len;
    return FRAME_HEADER + (size_t)len;
}

static void raw_send(struct world *world, const struct message *message)
{
    uint8_t frame[FRAME_MAX];
    raw_write(world, frame, framed(message, frame));
}

static const struct message HELLO = {.type = MESSAGE_HELLO, .hello = {1, 1, 30, "raw 3"}};

/* True when a message came; fails the test if something else than the end did. */
static bool raw_receive(struct world *world, enum message_sender sender, struct message *message)
{
    const uint8_t *body;
    size_t len;
    while (!(body = frame_body(&world->in, &len))) {
        uint8_t byte;
        long got = tls_read(world->tls, &byte, 1);
        if (got <= 0) {
            assert_true(got == TLS_WANT_READ || got == 0 || got == -ECONNRESET);
            return false;
        }
        assert_int_equal(frame_feed(&world->in, &byte, 1), 1);
    }
    assert_int_equal(message_decode(body, len, sender, PROTOCOL_FIRST_VERSION, message), 0);
    frame_reset(&world->in);
    return true;
}

static struct message raw_expect(struct world *world, enum message_sender sender,
                                 enum message_type type)
{
    struct message message = {0};
    WAIT_FOR(&world->loop, raw_receive(world, sender, &message));
    assert_int_equal(message.type, type);
    return message;
}

static struct world *world_with_open_raw(void)
{
    struct world *world = world_with_raw(true);
    raw_send(world, &HELLO);
    WAIT_FOR(&world->loop, world->vps.opened);
    raw_expect(world, SENDER_VPS, MESSAGE_HELLO);
    return world;
}

static void assert_ends(struct world *world, struct owner *owner, enum channel_end end,
                        const char *why)
{
    WAIT_FOR(&world->loop, owner->closed);
    assert_int_equal(owner->end, end);
    if (!strstr(owner->why.text, why)) {
        fail_msg("it ended because \"%s\", not \"%s\"", owner->why.text, why);
    }
    loop_run_for(&world->loop, 5);
    assert_int_equal(owner->closed, 1);
}

/* ---- opening -------------------------------------------------------------- */

static void both_open_and_exchange_messages(void **state)
{
    unsigned before = open_descriptors();
    struct world *world = world_new(KEY);
    struct message command = {.type = MESSAGE_OPEN_TUNNEL,
                              .open_tunnel = {.session = 7,
                                              .channel = 1,
                                              .port = 22,
                                              .data_port = 20000,
                                              .host = "HOME-PC",
                                              .token = "token"}};
    struct message answer = {.type = MESSAGE_TUNNEL_FAILED, .tunnel_failed = {7, 1, 4, "slow"}};
    (void)state;
    make_both(world, 30);
    assert_int_equal(channel_send(world->vps.channel, &command), -ENOTCONN);
    WAIT_FOR(&world->loop, world->vps.opened && world->gateway.opened);
    assert_string_equal(channel_peer_name(world->vps.channel), "home");
    assert_string_equal(channel_peer_program(world->vps.channel), "gateway-agent 2");
    assert_string_equal(channel_peer_program(world->gateway.channel), "vps-agent 1");
    assert_int_equal(channel_peer_goodbye(world->vps.channel), 0);
    assert_int_equal(channel_rtt_us(world->vps.channel), 0);

    assert_int_equal(channel_send(world->vps.channel, &command), 0);
    WAIT_FOR(&world->loop, world->gateway.received == 1);
    assert_int_equal(world->gateway.last.open_tunnel.session, 7);
    assert_string_equal(world->gateway.last.open_tunnel.host, "HOME-PC");
    assert_memory_equal(world->gateway.last.open_tunnel.token, command.open_tunnel.token, 32);
    assert_int_equal(channel_send(world->gateway.channel, &answer), 0);
    WAIT_FOR(&world->loop, world->vps.received == 1);
    assert_string_equal(world->vps.last.tunnel_failed.detail, "slow");
    assert_int_equal(world->vps.opened + world->gateway.opened, 2);
    world_free(world);
    assert_int_equal(open_descriptors(), before);
}

static void a_wrong_key_ends_both_with_that_reason(void **state)
{
    struct world *world = world_new(OTHER_KEY);
    (void)state;
    make_both(world, 30);
    assert_ends(world, &world->vps, CHANNEL_END_AUTH, "\"home\" does not hold the right key");
    assert_ends(world, &world->gateway, CHANNEL_END_AUTH, "does not accept this key");
    assert_int_equal(world->vps.opened + world->gateway.opened, 0);
    world_free(world);
}

static void a_stranger_ends_it_without_ado(void **state)
{
    struct world *world = world_new(KEY);
    int fds[2];
    (void)state;
    tcp_pair(fds);
    make_channel(world, true, fds[0], 0);
    world->fd = fds[1];
    assert_int_equal(send(world->fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    assert_ends(world, &world->vps, CHANNEL_END_PEER, "not a TLS 1.3 handshake");
    world_free(world);
}

static void a_handshake_that_is_not_finished_in_time_ends_it(void **state)
{
    (void)state;
    time_divisor = 100; /* 100 ms instead of 10 s */
    for (int shaken = 0; shaken < 2; shaken++) {
        struct world *world;
        if (shaken) {
            world = world_with_raw(true); /* TLS is done, but HELLO does not come */
        } else {
            int fds[2];
            world = world_new(KEY);
            tcp_pair(fds);
            make_channel(world, true, fds[0], 0);
            world->fd = fds[1];
        }
        assert_ends(world, &world->vps, CHANNEL_END_TIMEOUT, "the handshake took too long");
        world_free(world);
    }
    time_divisor = 1;
}

static void no_common_version_is_told_to_both(void **state)
{
    static const struct {
        uint16_t min, max;
        const char *why;
    } ROWS[] = {
        {4, 5, "raw 3 speaks protocol versions 4 to 5, vps-agent 1 speaks 1 to 3: upgrade vps"},
        {0, 0, "raw 3 speaks protocol versions 0 to 0, vps-agent 1 speaks 1 to 3: upgrade raw 3"},
        {4, 1, "upgrade"}, /* nonsense */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world *world = world_with_raw(true);
        struct message hello = HELLO;
        hello.hello.min_version = ROWS[i].min;
        hello.hello.max_version = ROWS[i].max;
        raw_send(world, &hello);
        assert_ends(world, &world->vps, CHANNEL_END_VERSION, ROWS[i].why);
        assert_int_equal(world->vps.opened, 0);
        raw_expect(world, SENDER_VPS, MESSAGE_HELLO);
        struct message bye = raw_expect(world, SENDER_VPS, MESSAGE_GOODBYE);
        assert_int_equal(bye.goodbye.reason, GOODBYE_VERSION);
        assert_non_null(strstr(bye.goodbye.text, ROWS[i].why));
        world_free(world);
    }
}

static void a_wider_range_of_versions_is_fine(void **state)
{
    struct world *world = world_with_raw(true);
    struct message hello = HELLO;
    (void)state;
    hello.hello.min_version = 0;
    hello.hello.max_version = UINT16_MAX;
    raw_send(world, &hello);
    WAIT_FOR(&world->loop, world->vps.opened);
    world_free(world);
}

static void a_message_is_for_those_whose_version_has_it(void **state)
{
    struct message dial = {.type = MESSAGE_DIAL_TARGET, .dial_target = {7, 1}};
    (void)state;
    struct world *world = world_of_two();
    assert_int_equal(channel_version(world->vps.channel), PROTOCOL_MAX_VERSION);
    assert_int_equal(channel_send(world->vps.channel, &dial), 0);
    WAIT_FOR(&world->loop, world->gateway.received == 1);
    assert_int_equal(world->gateway.last.dial_target.channel, 1);
    world_free(world);

    world = world_with_open_raw(); /* a gateway of version 1 */
    assert_int_equal(channel_version(world->vps.channel), 1);
    assert_int_equal(channel_send(world->vps.channel, &dial), -EPROTONOSUPPORT);
    struct message close = {.type = MESSAGE_CLOSE_TUNNEL, .close_tunnel = {7}};
    assert_int_equal(channel_send(world->vps.channel, &close), 0);
    raw_expect(world, SENDER_VPS, MESSAGE_CLOSE_TUNNEL); /* the channel is as it was */
    world_free(world);

    world = world_with_raw(false); /* a VPS that breaks what it agreed to */
    raw_send(world, &HELLO);
    WAIT_FOR(&world->loop, world->gateway.opened);
    raw_send(world, &dial);
    assert_ends(world, &world->gateway, CHANNEL_END_PROTOCOL, "a message of a later version");
    world_free(world);
}

static void a_gateway_without_a_sane_keepalive_is_refused(void **state)
{
    static const uint16_t SECS[] = {0, 3601, UINT16_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof SECS / sizeof *SECS; i++) {
        struct world *world = world_with_raw(true);
        struct message hello = HELLO;
        hello.hello.keepalive_secs = SECS[i];
        raw_send(world, &hello);
        assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, "keepalive");
        world_free(world);
    }
}

/* An agent of the next version: it speaks this one too, and its HELLO says more than ours. */
static void a_longer_hello_of_a_later_version_is_understood(void **state)
{
    static const uint8_t REST[] = {0, 5, 'z', 's', 't', 'd', '!', 7};
    (void)state;
    for (int vps = 0; vps < 2; vps++) {
        struct world *world = world_with_raw(vps);
        struct owner *owner = vps ? &world->vps : &world->gateway;
        struct message hello = HELLO;
        uint8_t frame[FRAME_MAX];
        hello.hello.max_version = PROTOCOL_MAX_VERSION + 1;
        size_t len = framed(&hello, frame);
        memcpy(frame + len, REST, sizeof REST);
        frame[1] = (uint8_t)(frame[1] + sizeof REST);
        raw_write(world, frame, len + sizeof REST);
        WAIT_FOR(&world->loop, owner->opened);
        assert_string_equal(channel_peer_program(owner->channel), "raw 3");
        struct message ping = {.type = MESSAGE_PING, .ping.sent_us = 5};
        raw_send(world, &ping);
        raw_expect(world, vps ? SENDER_VPS : SENDER_GATEWAY, MESSAGE_HELLO);
        raw_expect(world, vps ? SENDER_VPS : SENDER_GATEWAY, MESSAGE_PONG);
        world_free(world);
    }
}

/* ---- looking without logging in ------------------------------------------- */

static struct world *world_that_looks(const uint8_t *key,
                                      void (*looked)(void *arg, struct message_goodbye *ret_answer))
{
    struct world *world = world_new(key);
    int fds[2];
    tcp_pair(fds);
    world->vps_events = EVENTS;
    world->vps_events.looked = looked;
    struct channel_options vps = {.self = SENDER_VPS,
                                  .program = "vps-agent 1",
                                  .events = &world->vps_events,
                                  .arg = &world->vps};
    struct channel_options gateway = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 30,
                                      .program = "gateway-agent 2",
                                      .look = true,
                                      .events = &EVENTS,
                                      .arg = &world->gateway};
    assert_int_equal(channel_new(&world->loop, world->server, fds[0], &vps, &world->vps.channel),
                     0);
    assert_int_equal(
        channel_new(&world->loop, world->client, fds[1], &gateway, &world->gateway.channel), 0);
    return world;
}

static void is_free(void *arg, struct message_goodbye *ret_answer)
{
    (void)arg;
    (void)ret_answer;
}

static void is_taken(void *arg, struct message_goodbye *ret_answer)
{
    (void)arg;
    ret_answer->reason = GOODBYE_REPLACED;
}

static void is_expired(void *arg, struct message_goodbye *ret_answer)
{
    (void)arg;
    ret_answer->reason = GOODBYE_EXPIRED;
    strcpy(ret_answer->text, "too late");
}

static void looking_tells_whether_it_would_be_let_in(void **state)
{
    static const struct {
        void (*looked)(void *arg, struct message_goodbye *ret_answer);
        enum goodbye_reason reason;
        const char *text;
    } ROWS[] = {{is_free, GOODBYE_LOOK, ""},
                {is_taken, GOODBYE_REPLACED, ""},
                {is_expired, GOODBYE_EXPIRED, "too late"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world *world = world_that_looks(KEY, ROWS[i].looked);
        assert_ends(world, &world->vps, CHANNEL_END_GOODBYE, "");
        assert_ends(world, &world->gateway, CHANNEL_END_GOODBYE, ROWS[i].text);
        assert_int_equal(world->vps.reason, GOODBYE_LOOK);
        assert_int_equal(world->gateway.reason, ROWS[i].reason);
        assert_int_equal(world->vps.opened + world->gateway.opened, 0);
        world_free(world);
    }
}

static void looking_with_a_wrong_key_is_told(void **state)
{
    struct world *world = world_that_looks(OTHER_KEY, is_free);
    (void)state;
    assert_ends(world, &world->gateway, CHANNEL_END_AUTH, "does not accept this key");
    assert_ends(world, &world->vps, CHANNEL_END_AUTH, "right key");
    world_free(world);
}

/* A VPS that does not know the question just closes: the key was right all the same. */
static void looking_at_an_older_vps_ends_with_its_program_known(void **state)
{
    struct world *world = world_that_looks(KEY, NULL);
    (void)state;
    assert_ends(world, &world->gateway, CHANNEL_END_PEER, "");
    assert_string_equal(world->gateway.program, "vps-agent 1");
    world_free(world);
}

/* Once logged in there is nothing to look at any more. */
/* ---- pairing ---------------------------------------------------------------- */

static const struct channel_events PAIRING_EVENTS = {
    .opened = on_opened, .received = on_received, .closed = on_closed, .met = on_met};

/* A gateway without a key, and a VPS that takes such (or one that does not). */
static struct world *world_of_strangers(bool taken)
{
    struct world *world = world_new(KEY);
    int fds[2];
    tcp_pair(fds);
    tls_config_free(world->client);
    assert_int_equal(tls_config_client(TLS_STRANGER, TLS_STRANGER_KEY, &world->client), 0);
    struct channel_options vps = {.self = SENDER_VPS,
                                  .program = "vps-agent 1",
                                  .events = taken ? &PAIRING_EVENTS : &EVENTS,
                                  .arg = &world->vps};
    struct channel_options gateway = {.self = SENDER_GATEWAY,
                                      .keepalive_secs = 30,
                                      .program = "gateway-agent 2",
                                      .pair = true,
                                      .events = &PAIRING_EVENTS,
                                      .arg = &world->gateway};
    assert_int_equal(channel_new(&world->loop, world->server, fds[0], &vps, &world->vps.channel),
                     0);
    assert_int_equal(
        channel_new(&world->loop, world->client, fds[1], &gateway, &world->gateway.channel), 0);
    return world;
}

static void a_gateway_without_a_key_is_met_and_never_open(void **state)
{
    struct message commit = {.type = MESSAGE_PAIR_COMMIT, .pair_commit = {"c", "office"}};
    struct message answer = {.type = MESSAGE_PAIR_ANSWER, .pair_answer = {"s", "n"}};
    struct message ping = {.type = MESSAGE_PING, .ping = {9}};
    (void)state;
    struct world *world = world_of_strangers(true);
    WAIT_FOR(&world->loop, world->vps.met && world->gateway.met);
    assert_false(channel_peer_is_proven(world->vps.channel));
    assert_string_equal(channel_peer_name(world->vps.channel), TLS_STRANGER);
    assert_string_equal(channel_peer_program(world->vps.channel), "gateway-agent 2");
    assert_int_equal(channel_send(world->gateway.channel, &commit), 0);
    WAIT_FOR(&world->loop, world->vps.received == 1);
    assert_string_equal(world->vps.last.pair_commit.name, "office");
    assert_int_equal(channel_send(world->vps.channel, &answer), 0);
    WAIT_FOR(&world->loop, world->gateway.received == 1);
    /* It is asked for a sign of life, as any other. */
    assert_int_equal(channel_send(world->vps.channel, &ping), 0);
    WAIT_FOR(&world->loop, channel_rtt_us(world->vps.channel) > 0);
    channel_goodbye(world->vps.channel, GOODBYE_UNPAIRED, "not now");
    WAIT_FOR(&world->loop, world->gateway.closed);
    assert_int_equal(world->gateway.end, CHANNEL_END_GOODBYE);
    assert_int_equal(world->gateway.reason, GOODBYE_UNPAIRED);
    assert_string_equal(world->gateway.why.text, "not now");
    assert_int_equal(world->vps.opened + world->gateway.opened, 0);
    world_free(world);
}

/* Neither side takes an order or an answer from who has shown no key. */
static void nothing_but_pairing_comes_while_pairing(void **state)
{
    static const struct message COMMANDS[] = {
        {.type = MESSAGE_OPEN_TUNNEL,
         .open_tunnel = {.session = 7,
                         .channel = 1,
                         .port = 22,
                         .data_port = 20000,
                         .host = "HOME-PC",
                         .token = "token"}},
        {.type = MESSAGE_CLOSE_TUNNEL, .close_tunnel = {7}},
        {.type = MESSAGE_DIAL_TARGET, .dial_target = {7, 1}},
    };
    static const struct message ANSWERS[] = {
        {.type = MESSAGE_TUNNEL_READY,
         .tunnel_ready = {.session = 7, .channel = 1, .address = "a"}},
        {.type = MESSAGE_TUNNEL_FAILED, .tunnel_failed = {7, 1, 2, "a"}},
        {.type = MESSAGE_HELLO, .hello = {1, 2, 30, "a"}},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world *world = world_of_strangers(true);
        WAIT_FOR(&world->loop, world->vps.met && world->gateway.met);
        assert_int_equal(channel_send(world->vps.channel, &COMMANDS[i]), 0);
        assert_ends(world, &world->gateway, CHANNEL_END_PROTOCOL, "out of place");
        assert_int_equal(world->gateway.received, 0);
        world_free(world);

        world = world_of_strangers(true);
        WAIT_FOR(&world->loop, world->vps.met && world->gateway.met);
        assert_int_equal(channel_send(world->gateway.channel, &ANSWERS[i]), 0);
        assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, i < 2 ? "out of place" : "second");
        assert_int_equal(world->vps.received, 0);
        world_free(world);
    }
}

static void no_pairing_comes_once_a_channel_is_open(void **state)
{
    struct message commit = {.type = MESSAGE_PAIR_COMMIT, .pair_commit = {"c", "office"}};
    struct message accept = {.type = MESSAGE_PAIR_ACCEPT, .pair_accept = {"m"}};
    (void)state;
    struct world *world = world_of_two();
    assert_int_equal(channel_send(world->gateway.channel, &commit), 0);
    assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, "out of place");
    world_free(world);
    world = world_of_two();
    assert_int_equal(channel_send(world->vps.channel, &accept), 0);
    assert_ends(world, &world->gateway, CHANNEL_END_PROTOCOL, "out of place");
    assert_int_equal(world->gateway.received, 0);
    world_free(world);
}

static void who_takes_no_strangers_hangs_up(void **state)
{
    (void)state;
    struct world *world = world_of_strangers(false);
    assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, "a gateway without a key");
    assert_int_equal(world->vps.opened, 0);
    world_free(world);
}

static void an_open_channel_is_not_looked_at(void **state)
{
    struct world *world = world_with_open_raw();
    struct message look = {.type = MESSAGE_GOODBYE, .goodbye.reason = GOODBYE_LOOK};
    struct message message;
    (void)state;
    raw_send(world, &look);
    assert_ends(world, &world->vps, CHANNEL_END_GOODBYE, "");
    assert_false(raw_receive(world, SENDER_VPS, &message));
    world_free(world);
}

/* ---- breaking the protocol ------------------------------------------------ */

static void what_breaks_the_protocol_ends_it(void **state)
{
    static const struct {
        bool open; /* after a HELLO */
        bool vps;  /* against a VPS, else against a gateway */
        struct message message;
        const char *why;
    } ROWS[] = {
        {true, true, {.type = MESSAGE_HELLO, .hello = {1, 1, 30, ""}}, "second HELLO"},
        {false, true, {.type = MESSAGE_PING}, "before HELLO"},
        {false, true, {.type = MESSAGE_PONG}, "before HELLO"},
        {false, true, {.type = MESSAGE_TUNNEL_READY}, "before HELLO"},
        {false, false, {.type = MESSAGE_OPEN_TUNNEL}, "before HELLO"},
        {true, true, {.type = MESSAGE_OPEN_TUNNEL}, "makes no sense"},
        {true, true, {.type = MESSAGE_CLOSE_TUNNEL}, "makes no sense"},
        {true, false, {.type = MESSAGE_TUNNEL_READY}, "makes no sense"},
        {true, false, {.type = MESSAGE_TUNNEL_FAILED}, "makes no sense"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world *world = world_with_raw(ROWS[i].vps);
        struct owner *owner = ROWS[i].vps ? &world->vps : &world->gateway;
        if (ROWS[i].open) {
            raw_send(world, &HELLO);
            WAIT_FOR(&world->loop, owner->opened);
        }
        raw_send(world, &ROWS[i].message);
        assert_ends(world, owner, CHANNEL_END_PROTOCOL, ROWS[i].why);
        assert_int_equal(owner->received, 0);
        world_free(world);
    }
}

static void bytes_that_are_no_frames_end_it(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } ROWS[] = {
        {"\0\0", 2, "impossible length"},
        {"\4\1", 2, "impossible length"}, /* 1025 */
        {"\xff\xff"
         "abc",
         5, "impossible length"},
        {"\0\1\x63", 3, "makes no sense"}, /* no type of ours */
        {"\0\1\0", 3, "makes no sense"},
        {"\0\1\3", 3, "makes no sense"},                      /* a PING without its number */
        {"\0\x0a\3\0\0\0\0\0\0\0\1\0", 12, "makes no sense"}, /* with one byte more */
        {"\0\x0f\x11\0\0\0\0\0\0\0\1\0\0\0\2\xff\xff", 17, "makes no sense"}, /* no UTF-8 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world *world = world_with_open_raw();
        raw_write(world, ROWS[i].bytes, ROWS[i].len);
        assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, ROWS[i].why);
        world_free(world);
    }
}

static void a_record_that_tls_refuses_ends_it(void **state)
{
    struct world *world = world_with_open_raw();
    (void)state;
    assert_int_equal(send(world->fd,
                          "\x17\3\3\0\x14"
                          "abcdefghijklmnopqrst",
                          25, 0),
                     25);
    assert_ends(world, &world->vps, CHANNEL_END_PROTOCOL, "broken TLS records");
    world_free(world);
}

/* ---- messages ------------------------------------------------------------- */

static void messages_come_whole_however_they_are_cut(void **state)
{
    struct message ready = {.type = MESSAGE_TUNNEL_READY,
                            .tunnel_ready = {.session = 9, .address = "10.0.0.1:22"}};
    struct world *world = world_with_raw(true);
    uint8_t frame[FRAME_MAX], many[16000];
    size_t len = framed(&HELLO, frame);
    (void)state;
    for (size_t i = 0; i < len; i++) {
        raw_write(world, frame + i, 1); /* a record for each byte */
    }
    WAIT_FOR(&world->loop, world->vps.opened);

    len = framed(&ready, frame);
    unsigned count = 0;
    for (size_t at = 0; at + len <= sizeof many; at += len) {
        memcpy(many + at, frame, len);
        count++;
    }
    raw_write(world, many, count * len); /* and many in one */
    WAIT_FOR(&world->loop, world->vps.received == count);
    assert_string_equal(world->vps.last.tunnel_ready.address, "10.0.0.1:22");
    assert_int_equal(world->vps.closed, 0);
    world_free(world);
}

static void a_ping_is_answered_with_its_number(void **state)
{
    struct world *world = world_with_open_raw();
    struct message ping = {.type = MESSAGE_PING, .ping = {0xfedcba9876543210}};
    struct message pong = {.type = MESSAGE_PONG, .pong = {UINT64_MAX}};
    (void)state;
    raw_send(world, &ping);
    struct message answer = raw_expect(world, SENDER_VPS, MESSAGE_PONG);
    assert_true(answer.pong.sent_us == ping.ping.sent_us);
    raw_send(world, &pong); /* nobody asked, and it is from the future */
    raw_send(world, &ping);
    raw_expect(world, SENDER_VPS, MESSAGE_PONG);
    assert_int_equal(channel_rtt_us(world->vps.channel), 0);
    assert_int_equal(world->vps.received, 0);
    world_free(world);
}

static void a_peer_that_falls_silent_is_dead_after_two_pings(void **state)
{
    struct world *world = world_with_raw(true);
    struct message hello = HELLO, ping;
    (void)state;
    time_divisor = 20; /* 50 ms instead of 1 s */
    hello.hello.keepalive_secs = 1;
    uint64_t since = uv_hrtime();
    raw_send(world, &hello);
    raw_expect(world, SENDER_VPS, MESSAGE_HELLO);
    /* One that answers lives on, */
    for (int i = 0; i < 4; i++) {
        ping = raw_expect(world, SENDER_VPS, MESSAGE_PING);
        struct message pong = {.type = MESSAGE_PONG, .pong = {ping.ping.sent_us}};
        raw_send(world, &pong);
    }
    assert_in_range((uv_hrtime() - since) / 1000000, 190, PATIENCE_MS);
    assert_int_equal(world->vps.closed, 0);
    WAIT_FOR(&world->loop, channel_rtt_us(world->vps.channel) > 0);
    /* and one that does not gets two more. */
    raw_expect(world, SENDER_VPS, MESSAGE_PING);
    raw_expect(world, SENDER_VPS, MESSAGE_PING);
    assert_int_equal(world->vps.closed, 0);
    assert_ends(world, &world->vps, CHANNEL_END_TIMEOUT, "two pings went unanswered");
    time_divisor = 1;
    world_free(world);
}

/* Somebody waits: no keepalive is waited for, here an hour. */
static void a_peer_that_is_pressed_and_silent_is_dead_within_seconds(void **state)
{
    struct world *world = world_with_raw(true);
    (void)state;
    struct message hello = HELLO;
    hello.hello.keepalive_secs = 3600;
    raw_send(world, &hello);
    WAIT_FOR(&world->loop, world->vps.opened);
    time_divisor = 50; /* 100 ms instead of 5 s */
    channel_press(world->vps.channel);
    channel_press(world->vps.channel); /* once more changes nothing */
    WAIT_FOR(&world->loop, world->vps.closed);
    assert_ends(world, &world->vps, CHANNEL_END_TIMEOUT, "could not wait");
    time_divisor = 1;
    world_free(world);
}

static void a_peer_that_is_pressed_and_says_anything_lives(void **state)
{
    struct world *world = world_new(KEY);
    (void)state;
    make_both(world, 3600);
    WAIT_FOR(&world->loop, world->vps.opened && world->gateway.opened);
    time_divisor = 50;
    for (int i = 0; i < 3; i++) {
        channel_press(world->vps.channel);
        loop_run_for(&world->loop, 150);
        assert_int_equal(world->vps.closed, 0);
    }
    /* We slept, not the peer: its answer lies in the socket when the time is over. */
    channel_press(world->vps.channel);
    struct message pong = {.type = MESSAGE_PONG};
    assert_int_equal(channel_send(world->gateway.channel, &pong), 0);
    usleep(200 * 1000);
    loop_run_for(&world->loop, 100);
    assert_int_equal(world->vps.closed, 0);
    time_divisor = 1;
    world_free(world);
}

/* What it said a moment ago shows as much as a PONG would: it is asked when that is over. */
static void a_peer_that_was_just_heard_is_asked_later(void **state)
{
    struct world *world = world_with_raw(true);
    struct message hello = HELLO, close_tunnel = {.type = MESSAGE_CLOSE_TUNNEL};
    (void)state;
    hello.hello.keepalive_secs = 3600;
    raw_send(world, &hello);
    raw_expect(world, SENDER_VPS, MESSAGE_HELLO);
    WAIT_FOR(&world->loop, world->vps.opened);
    time_divisor = 10; /* 100 ms instead of 1 s */
    channel_press(world->vps.channel);
    assert_int_equal(channel_send(world->vps.channel, &close_tunnel), 0);
    raw_expect(world, SENDER_VPS, MESSAGE_CLOSE_TUNNEL); /* nothing came before it */
    struct message ping = raw_expect(world, SENDER_VPS, MESSAGE_PING);
    struct message pong = {.type = MESSAGE_PONG, .pong = {ping.ping.sent_us}};
    raw_send(world, &pong);
    WAIT_FOR(&world->loop, channel_rtt_us(world->vps.channel) > 0);
    clock_skew_ms += 1000; /* and it says nothing more */
    channel_press(world->vps.channel);
    assert_int_equal(channel_send(world->vps.channel, &close_tunnel), 0);
    raw_expect(world, SENDER_VPS, MESSAGE_PING); /* at once */
    raw_expect(world, SENDER_VPS, MESSAGE_CLOSE_TUNNEL);
    time_divisor = 1;
    world_free(world);
}

static void a_connection_from_an_address_that_is_gone_ends(void **state)
{
    struct world *world = world_of_two();
    struct addr other, own;
    (void)state;
    addr_parse("127.0.0.2", 0, &other);
    addr_parse("127.0.0.1", 0, &own);
    assert_false(channel_lost_address(world->gateway.channel, &other));
    assert_true(channel_lost_address(world->gateway.channel, &own));
    assert_int_equal(world->gateway.closed, 0); /* not from inside the call */
    WAIT_FOR(&world->loop, world->gateway.closed);
    assert_ends(world, &world->gateway, CHANNEL_END_PEER, "127.0.0.1 any more");
    world_free(world);
}

static void two_of_ours_keep_each_other_alive(void **state)
{
    struct world *world = world_new(KEY);
    (void)state;
    time_divisor = 20;
    make_both(world, 1);
    WAIT_FOR(&world->loop, world->vps.opened && world->gateway.opened);
    loop_run_for(&world->loop, 300); /* six intervals; three would be the end */
    assert_int_equal(world->vps.closed + world->gateway.closed, 0);
    assert_true(channel_rtt_us(world->vps.channel) > 0);
    assert_true(channel_rtt_us(world->gateway.channel) > 0);
    time_divisor = 1;
    world_free(world);
}

/* ---- sending more than the peer reads ------------------------------------- */

static const struct message LONG = {
    .type = MESSAGE_OPEN_TUNNEL,
    .open_tunnel.host = "a.name.of.some.length.so.that.the.queue.fills.up.sooner.example.org"};

static void a_peer_that_does_not_read_is_dropped_from_the_loop(void **state)
{
    struct world *world = world_with_open_raw();
    unsigned sent = 0;
    (void)state;
    while (channel_send(world->vps.channel, &LONG) == 0) {
        assert_true(++sent < 1000000);
    }
    assert_true(sent > QUEUE_MAX / 200);    /* it has had its chance */
    assert_int_equal(world->vps.closed, 0); /* not from inside channel_send() */
    assert_int_equal(channel_send(world->vps.channel, &LONG), -ENOTCONN);
    assert_ends(world, &world->vps, CHANNEL_END_PEER, "does not read");
    world_free(world);
}

static void a_slow_peer_gets_everything_in_order(void **state)
{
    struct world *world = world_with_open_raw();
    struct message message = LONG, got;
    uint64_t sent = 0, read = 0;
    int small = 16384;
    (void)state;
    setsockopt(world->channel_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (int burst = 0; burst < 3; burst++) {
        for (int i = 0; i < 1000; i++) {
            message.open_tunnel.session = sent++;
            assert_int_equal(channel_send(world->vps.channel, &message), 0);
        }
        while (read < sent) {
            WAIT_FOR(&world->loop, raw_receive(world, SENDER_VPS, &got));
            assert_true(got.open_tunnel.session == read);
            read++;
        }
    }
    assert_int_equal(world->vps.closed, 0);
    world_free(world);
}

static void a_peer_that_only_asks_is_dropped(void **state)
{
    struct world *world = world_with_open_raw();
    struct message ping = {.type = MESSAGE_PING};
    uint8_t frame[FRAME_MAX], many[16000];
    size_t len = framed(&ping, frame), at = 0;
    (void)state;
    for (at = 0; at + len <= sizeof many; at += len) {
        memcpy(many + at, frame, len);
    }
    /* It reads none of the answers; ours must not pile up without end. */
    for (int i = 0; i < 100000 && !world->vps.closed; i++) {
        long sent = tls_write(world->tls, many, at);
        if (sent < 0 && sent != TLS_WANT_WRITE) {
            break;
        }
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_ends(world, &world->vps, CHANNEL_END_PEER, "does not read");
    world_free(world);
}

/* ---- ending --------------------------------------------------------------- */

static void a_goodbye_is_heard_with_its_reason(void **state)
{
    static const enum goodbye_reason REASONS[] = {GOODBYE_SHUTDOWN, GOODBYE_VERSION,
                                                  GOODBYE_REPLACED, GOODBYE_PROTOCOL};
    (void)state;
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
        struct world *world = world_of_two();
        struct owner *from = i % 2 ? &world->vps : &world->gateway;
        struct owner *to = i % 2 ? &world->gateway : &world->vps;
        struct message message = {.type = MESSAGE_PING};
        if (i >= 2) { /* bytes that nobody reads any more make an RST out of its FIN */
            struct message unread = {.type = i % 2 ? MESSAGE_TUNNEL_READY : MESSAGE_CLOSE_TUNNEL};
            assert_int_equal(channel_send(to->channel, &unread), 0);
        }
        channel_goodbye(from->channel, REASONS[i], "until tomorrow");
        assert_int_equal(channel_send(from->channel, &message), -ENOTCONN);
        channel_goodbye(from->channel, REASONS[i], "again");
        assert_ends(world, to, CHANNEL_END_GOODBYE, "until tomorrow");
        assert_int_equal(to->reason, REASONS[i]);
        assert_int_equal(from->closed, 0);
        world_free(world);
    }
}

static void a_goodbye_of_any_length_is_cut_and_one_before_hello_counts(void **state)
{
    struct world *world = world_of_two();
    char text[500];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    channel_goodbye(world->vps.channel, GOODBYE_SHUTDOWN, text);
    assert_ends(world, &world->gateway, CHANNEL_END_GOODBYE, "xxx");
    assert_int_equal(strlen(world->gateway.why.text), 200);
    world_free(world);

    struct message bye = {.type = MESSAGE_GOODBYE, .goodbye = {GOODBYE_VERSION, "too old"}};
    world = world_with_raw(false);
    raw_send(world, &bye);
    assert_ends(world, &world->gateway, CHANNEL_END_GOODBYE, "too old");
    world_free(world);
}

static void a_peer_that_is_gone_ends_it(void **state)
{
    (void)state;
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        struct world *world = world_with_open_raw();
        if (by_reset) {
            net_reset(world->fd);
        } else {
            close(world->fd);
        }
        world->fd = -1;
        assert_ends(world, &world->vps, CHANNEL_END_PEER, by_reset ? "reset" : "closed");
        world_free(world);
    }
}

static void messages_before_an_end_are_still_heard(void **state)
{
    struct message ready = {.type = MESSAGE_TUNNEL_READY};
    uint8_t frames[500 * 15];
    (void)state;
    for (size_t at = 0; at < sizeof frames; at += 15) {
        uint8_t frame[FRAME_MAX];
        assert_int_equal(framed(&ready, frame), 15);
        memcpy(frames + at, frame, 15);
    }
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        struct world *world = world_with_open_raw();
        raw_write(world, frames, sizeof frames);
        if (by_reset) {
            net_reset(world->fd);
        } else {
            close(world->fd);
        }
        world->fd = -1;
        assert_ends(world, &world->vps, CHANNEL_END_PEER, "");
        assert_int_equal(world->vps.received, 500);
        world_free(world);
    }
}

/* ---- the owner's freedom -------------------------------------------------- */

static void the_owner_may_end_it_in_any_callback(void **state)
{
    static const int WHATS[] = {FREE, GOODBYE, GOODBYE | FREE};
    struct message ready = {.type = MESSAGE_TUNNEL_READY};
    uint8_t frame[FRAME_MAX], burst[4 * FRAME_MAX];
    (void)state;
    for (size_t i = 0; i < 2 * sizeof WHATS / sizeof *WHATS; i++) {
        bool at_message = i % 2;
        struct world *world = world_with_raw(true);
        if (at_message) {
            world->vps.when_received = WHATS[i / 2];
        } else {
            world->vps.when_opened = WHATS[i / 2];
        }
        /* More stands behind it, in the same record and in the next. */
        size_t len = framed(&HELLO, frame);
        memcpy(burst, frame, len);
        for (int more = 0; more < 3; more++) {
            size_t frame_len = framed(&ready, frame);
            memcpy(burst + len, frame, frame_len);
            len += frame_len;
        }
        raw_write(world, burst, len);
        raw_send(world, &ready);
        WAIT_FOR(&world->loop, at_message ? world->vps.received : world->vps.opened);
        loop_run_for(&world->loop, 5);
        assert_int_equal(world->vps.opened, 1);
        assert_int_equal(world->vps.received, at_message ? 1 : 0);
        assert_int_equal(world->vps.closed, 0);
        raw_expect(world, SENDER_VPS, MESSAGE_HELLO);
        if (WHATS[i / 2] & GOODBYE) {
            raw_expect(world, SENDER_VPS, MESSAGE_GOODBYE);
        }
        world_free(world);
    }
}

static void a_channel_may_be_freed_at_any_time(void **state)
{
    unsigned before = open_descriptors();
    (void)state;
    for (unsigned turns = 0; turns < 20; turns++) {
        struct world *world = world_new(KEY);
        make_both(world, 30);
        for (unsigned i = 0; i < turns; i++) {
            uv_run(&world->loop, UV_RUN_NOWAIT);
        }
        if (turns % 3 == 0) {
            channel_goodbye(world->vps.channel, GOODBYE_SHUTDOWN, "");
        }
        channel_free(turns % 2 ? world->gateway.channel : NULL);
        world->gateway.channel = turns % 2 ? NULL : world->gateway.channel;
        world_free(world);
    }
    channel_free(NULL);
    assert_int_equal(open_descriptors(), before);
}

static void a_socket_that_cannot_be_watched_stays_the_callers(void **state)
{
    struct world *world = world_new(KEY);
    struct channel_options options = {.self = SENDER_VPS, .program = "", .events = &EVENTS};
    struct channel *channel = NULL;
    char path[] = "/tmp/test_channel.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    unlink(path);
    assert_true(channel_new(&world->loop, world->server, fd, &options, &channel) < 0);
    assert_null(channel);
    assert_int_equal(close(fd), 0);
    world_free(world);
}

static int set_up(void **state)
{
    time_divisor = 1;
    return loop_first(state);
}

static int tear_down(void **state)
{
    (void)state;
    tls_library_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_open_and_exchange_messages),
        cmocka_unit_test(a_wrong_key_ends_both_with_that_reason),
        cmocka_unit_test(a_stranger_ends_it_without_ado),
        cmocka_unit_test(a_handshake_that_is_not_finished_in_time_ends_it),
        cmocka_unit_test(no_common_version_is_told_to_both),
        cmocka_unit_test(a_wider_range_of_versions_is_fine),
        cmocka_unit_test(a_message_is_for_those_whose_version_has_it),
        cmocka_unit_test(a_longer_hello_of_a_later_version_is_understood),
        cmocka_unit_test(looking_tells_whether_it_would_be_let_in),
        cmocka_unit_test(looking_with_a_wrong_key_is_told),
        cmocka_unit_test(looking_at_an_older_vps_ends_with_its_program_known),
        cmocka_unit_test(an_open_channel_is_not_looked_at),
        cmocka_unit_test(a_gateway_without_a_key_is_met_and_never_open),
        cmocka_unit_test(nothing_but_pairing_comes_while_pairing),
        cmocka_unit_test(no_pairing_comes_once_a_channel_is_open),
        cmocka_unit_test(who_takes_no_strangers_hangs_up),
        cmocka_unit_test(a_gateway_without_a_sane_keepalive_is_refused),
        cmocka_unit_test(what_breaks_the_protocol_ends_it),
        cmocka_unit_test(bytes_that_are_no_frames_end_it),
        cmocka_unit_test(a_record_that_tls_refuses_ends_it),
        cmocka_unit_test(messages_come_whole_however_they_are_cut),
        cmocka_unit_test(a_ping_is_answered_with_its_number),
        cmocka_unit_test(a_peer_that_falls_silent_is_dead_after_two_pings),
        cmocka_unit_test(a_peer_that_is_pressed_and_silent_is_dead_within_seconds),
        cmocka_unit_test(a_peer_that_is_pressed_and_says_anything_lives),
        cmocka_unit_test(a_peer_that_was_just_heard_is_asked_later),
        cmocka_unit_test(a_connection_from_an_address_that_is_gone_ends),
        cmocka_unit_test(two_of_ours_keep_each_other_alive),
        cmocka_unit_test(a_peer_that_does_not_read_is_dropped_from_the_loop),
        cmocka_unit_test(a_slow_peer_gets_everything_in_order),
        cmocka_unit_test(a_peer_that_only_asks_is_dropped),
        cmocka_unit_test(a_goodbye_is_heard_with_its_reason),
        cmocka_unit_test(a_goodbye_of_any_length_is_cut_and_one_before_hello_counts),
        cmocka_unit_test(a_peer_that_is_gone_ends_it),
        cmocka_unit_test(messages_before_an_end_are_still_heard),
        cmocka_unit_test(the_owner_may_end_it_in_any_callback),
        cmocka_unit_test(a_channel_may_be_freed_at_any_time),
        cmocka_unit_test(a_socket_that_cannot_be_watched_stays_the_callers),
    };
    return cmocka_run_group_tests_name("channel", tests, set_up, tear_down);
}
