/* A session's data port: the one gateway that proves itself comes in, nobody else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "base/watch.h"
#include "stage.h"
#include "vps/session/dock.h"

enum { NUMBER = 0x1234567, PLACES = DOCK_CALLERS_MAX + 1 /* one is expected */ };
static const uint8_t OTHER[PROOF_TOKEN_SIZE] = "a token of thirty-two bytes, no!";

/* ---- what is watched ------------------------------------------------------- */

static unsigned watched;

struct watch *__real_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);
struct watch *__wrap_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);

struct watch *__wrap_watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg)
{
    watched++;
    return __real_watch_start(loop, fd, events, fn, arg);
}

struct quay {
    struct stage stage;
    struct dock *dock;
    uint16_t port;
    unsigned docked;
    uint16_t channel;
    int fd;
    bool close_when_docked;
};

static void on_docked(void *arg, uint16_t channel, int fd)
{
    struct quay *quay = arg;
    quay->docked++;
    quay->channel = channel;
    if (quay->fd >= 0) {
        close(quay->fd);
    }
    quay->fd = fd;
    if (quay->close_when_docked) {
        dock_free(quay->dock);
        quay->dock = NULL;
    }
}

static void quay_open(struct quay *quay)
{
    memset(quay, 0, sizeof *quay);
    quay->fd = -1;
    stage_open(&quay->stage);
    int listener = stage_listen(&quay->port);
    quay->dock = dock_new(&quay->stage.loop, listener, NUMBER, on_docked, quay);
    assert_non_null(quay->dock);
}

static void quay_close(struct quay *quay)
{
    if (quay->fd >= 0) {
        close(quay->fd);
    }
    dock_free(quay->dock);
    stage_close(&quay->stage);
}

/* A gateway on its way in, and everything that it sent. */
struct ship {
    int fd;
    struct proof proof;
    uint8_t hello[PROOF_HELLO_SIZE], answer[PROOF_ANSWER_SIZE], final[PROOF_FINAL_SIZE];
};

static void ship_hail(struct quay *quay, struct ship *ship, uint16_t channel, const uint8_t *token)
{
    assert_int_equal(proof_hello(&ship->proof, NUMBER, channel, token, ship->hello), 0);
    ship->fd = client_connect("127.0.0.2", quay->port);
    client_say(ship->fd, ship->hello, sizeof ship->hello);
}

static void ship_hear_answer(struct quay *quay, struct ship *ship)
{
    size_t have = 0;
    WAIT_FOR(&quay->stage,
             (have += client_hear(ship->fd, ship->answer + have, sizeof ship->answer - have)) ==
                 sizeof ship->answer);
}

/* Up to the last word, which is ready but not yet said. */
static void ship_come_near(struct quay *quay, struct ship *ship, uint16_t channel)
{
    ship_hail(quay, ship, channel, dock_token(quay->dock));
    ship_hear_answer(quay, ship);
    assert_int_equal(proof_final(&ship->proof, ship->answer, ship->final), 0);
}

static void ship_land(struct quay *quay, struct ship *ship, uint16_t channel)
{
    unsigned before = quay->docked;
    ship_come_near(quay, ship, channel);
    client_say(ship->fd, ship->final, sizeof ship->final);
    WAIT_FOR(&quay->stage, quay->docked == before + 1);
}

static void expect_sent_off_in_silence(struct quay *quay, int fd)
{
    WAIT_FOR(&quay->stage, client_was_sent_off(fd));
    uint8_t byte;
    assert_int_equal(client_hear(fd, &byte, 1), 0);
    close(fd);
}

static void the_right_gateway_comes_in(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 3);
    ship_land(&quay, &ship, 3);
    assert_int_equal(quay.channel, 3);
    char got[8] = "";
    client_say(ship.fd, "ahoy", 4);
    WAIT_FOR(&quay.stage, client_hear(quay.fd, got, sizeof got) == 4);
    assert_memory_equal(got, "ahoy", 4);
    close(ship.fd);
    quay_close(&quay);
}

static void what_follows_the_proof_stays_in_the_socket(void **state)
{
    struct quay quay;
    struct ship ship;
    uint8_t both[PROOF_FINAL_SIZE + 4];
    char got[8] = "";
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    ship_come_near(&quay, &ship, 0);
    memcpy(both, ship.final, sizeof ship.final);
    memcpy(both + sizeof ship.final, "data", 4);
    client_say(ship.fd, both, sizeof both);
    WAIT_FOR(&quay.stage, quay.docked == 1);
    assert_int_equal(client_hear(quay.fd, got, sizeof got), 4);
    assert_memory_equal(got, "data", 4);
    close(ship.fd);
    quay_close(&quay);
}

static void a_proof_may_come_byte_by_byte(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    assert_int_equal(proof_hello(&ship.proof, NUMBER, 0, dock_token(quay.dock), ship.hello), 0);
    ship.fd = client_connect("127.0.0.2", quay.port);
    for (size_t i = 0; i < sizeof ship.hello; i++) {
        client_say(ship.fd, ship.hello + i, 1);
        stage_turn(&quay.stage);
    }
    ship_hear_answer(&quay, &ship);
    assert_int_equal(proof_final(&ship.proof, ship.answer, ship.final), 0);
    for (size_t i = 0; i < sizeof ship.final; i++) {
        assert_int_equal(quay.docked, 0);
        client_say(ship.fd, ship.final + i, 1);
        stage_turn(&quay.stage);
        stage_turn(&quay.stage);
    }
    WAIT_FOR(&quay.stage, quay.docked == 1);
    close(ship.fd);
    quay_close(&quay);
}

static void a_wrong_token_proves_nothing(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    ship_hail(&quay, &ship, 0, OTHER);
    ship_hear_answer(&quay, &ship);
    assert_int_not_equal(proof_final(&ship.proof, ship.answer, ship.final), 0);
    /* It goes on in spite of that. */
    memset(ship.final, 0x5a, sizeof ship.final);
    client_say(ship.fd, ship.final, sizeof ship.final);
    expect_sent_off_in_silence(&quay, ship.fd);
    assert_int_equal(quay.docked, 0);
    ship_land(&quay, &ship, 0); /* and has not spoiled anything */
    close(ship.fd);
    quay_close(&quay);
}

static void the_answer_of_the_server_is_no_last_word(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    ship_hail(&quay, &ship, 0, OTHER);
    ship_hear_answer(&quay, &ship);
    client_say(ship.fd, ship.answer + PROOF_NONCE_SIZE, PROOF_MAC_SIZE); /* reflected */
    expect_sent_off_in_silence(&quay, ship.fd);
    assert_int_equal(quay.docked, 0);
    quay_close(&quay);
}

/* Its hello is there when the connection is accepted: only the last word is waited for. */
static void a_gateway_is_watched_once_and_a_stranger_who_speaks_never(void **state)
{
    struct quay quay;
    struct ship ship, stranger;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 3);
    unsigned before = watched;
    ship_hail(&quay, &stranger, 4, OTHER);
    expect_sent_off_in_silence(&quay, stranger.fd);
    assert_int_equal(watched, before);
    ship_land(&quay, &ship, 3);
    assert_int_equal(watched, before + 1);
    close(ship.fd);
    quay_close(&quay);
}

static void a_hello_that_is_not_expected_meets_silence(void **state)
{
    static const struct {
        const char *what;
        int expected; /* -1: nothing is */
        size_t place; /* a byte of the hello that is changed */
    } CASES[] = {
        {"nothing is expected", -1, SIZE_MAX},
        {"another channel", 1, SIZE_MAX},
        {"another magic", 0, 0},
        {"another version", 0, 5},
        {"another channel in the hello", 0, 7},
        {"another session", 0, 15},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct quay quay;
        struct ship ship;
        quay_open(&quay);
        if (CASES[i].expected >= 0) {
            dock_expect(quay.dock, (uint16_t)CASES[i].expected);
        }
        assert_int_equal(proof_hello(&ship.proof, NUMBER, 0, dock_token(quay.dock), ship.hello), 0);
        if (CASES[i].place < sizeof ship.hello) {
            ship.hello[CASES[i].place] ^= 1;
        }
        ship.fd = client_connect("127.0.0.2", quay.port);
        client_say(ship.fd, ship.hello, sizeof ship.hello);
        expect_sent_off_in_silence(&quay, ship.fd);
        assert_int_equal(quay.docked, 0);
        quay_close(&quay);
    }
}

static void a_channel_comes_in_once(void **state)
{
    struct quay quay;
    struct ship first, second;
    (void)state;
    quay_open(&quay);
    assert_int_equal(dock_expect(quay.dock, 0), 0);
    assert_int_equal(dock_expect(quay.dock, 1), 0);
    ship_land(&quay, &first, 0);
    ship_hail(&quay, &second, 0, dock_token(quay.dock));
    expect_sent_off_in_silence(&quay, second.fd);
    assert_int_equal(quay.docked, 1);
    ship_land(&quay, &second, 1);
    assert_int_equal(quay.channel, 1);
    close(first.fd);
    close(second.fd);
    quay_close(&quay);
}

static void several_channels_come_in_side_by_side_and_in_any_order(void **state)
{
    static const uint16_t ORDER[] = {7, 9, 8};
    struct quay quay;
    struct ship ships[3];
    (void)state;
    quay_open(&quay);
    for (uint16_t channel = 7; channel < 10; channel++) {
        assert_int_equal(dock_expect(quay.dock, channel), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        ship_come_near(&quay, &ships[i], ORDER[i]);
    }
    for (unsigned i = 3; i-- > 0;) {
        assert_true(dock_is_open(quay.dock));
        client_say(ships[i].fd, ships[i].final, sizeof ships[i].final);
        WAIT_FOR(&quay.stage, quay.docked == 3 - i);
        assert_int_equal(quay.channel, ORDER[i]);
        close(ships[i].fd);
    }
    quay_close(&quay);
}

static void the_port_is_open_only_while_a_channel_is_expected(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    int late = client_connect("127.0.0.3", quay.port);
    ship_land(&quay, &ship, 0);
    assert_false(dock_is_open(quay.dock));
    assert_true(port_is_closed(quay.port));
    WAIT_FOR(&quay.stage, client_was_sent_off(late));
    close(late);
    close(ship.fd);

    assert_int_equal(dock_expect(quay.dock, 1), -ENOTCONN);
    assert_int_equal(dock_open(quay.dock, net_listen("127.0.0.1", quay.port, 8)), 0);
    dock_expect(quay.dock, 1);
    ship_land(&quay, &ship, 1);
    assert_int_equal(quay.channel, 1);
    close(ship.fd);

    assert_int_equal(dock_open(quay.dock, net_listen("127.0.0.1", quay.port, 8)), 0);
    dock_expect(quay.dock, 2);
    dock_expect_nothing(quay.dock);
    assert_true(port_is_closed(quay.port));
    quay_close(&quay);
}

/* A further path of a channel that is there joins at its port; nobody else gets anything there. */
static void with_several_paths_it_stays_open_and_lets_nobody_in(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_stay_open(quay.dock);
    dock_expect(quay.dock, 0);
    int early = client_connect("127.0.0.3", quay.port);
    stage_turn(&quay.stage);
    ship_land(&quay, &ship, 0);
    close(ship.fd);
    WAIT_FOR(&quay.stage, client_was_sent_off(early));
    close(early);
    assert_true(dock_is_open(quay.dock));
    for (unsigned i = 0; i < 3; i++) {
        int late = client_connect("127.0.0.3", quay.port);
        expect_sent_off_in_silence(&quay, late);
    }
    ship_hail(&quay, &ship, 0, dock_token(quay.dock)); /* a channel comes in once */
    expect_sent_off_in_silence(&quay, ship.fd);

    assert_int_equal(dock_expect(quay.dock, 1), 0); /* without dock_open() */
    ship_land(&quay, &ship, 1);
    assert_int_equal(quay.channel, 1);
    close(ship.fd);
    dock_expect(quay.dock, 2);
    dock_expect_nothing(quay.dock);
    ship_hail(&quay, &ship, 2, dock_token(quay.dock));
    expect_sent_off_in_silence(&quay, ship.fd);
    dock_free(quay.dock);
    quay.dock = NULL;
    assert_true(port_is_closed(quay.port));
    quay_close(&quay);
}

/* ---- brought from elsewhere ---------------------------------------------- */

/* What the control port does with it: HELLO is read there. */
static void bring(struct quay *quay, struct ship *ship, uint16_t channel)
{
    int ends[2];
    struct addr from;
    assert_int_equal(
        proof_hello(&ship->proof, NUMBER, channel, dock_token(quay->dock), ship->hello), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(addr_parse("192.0.2.7", 4711, &from), 0);
    ship->fd = ends[0];
    dock_bring(quay->dock, ends[1], &from, ship->hello);
}

static void who_is_brought_goes_on_as_if_it_had_come(void **state)
{
    struct quay quay;
    struct ship ship, late;
    char got[8] = "";
    (void)state;
    quay_open(&quay);
    dock_expect_nothing(quay.dock); /* closes the port */
    assert_int_equal(dock_open(quay.dock, DOCK_NO_LISTENER), 0);
    dock_expect(quay.dock, 5);
    bring(&quay, &ship, 5);
    ship_hear_answer(&quay, &ship);
    assert_int_equal(proof_final(&ship.proof, ship.answer, ship.final), 0);
    client_say(ship.fd, ship.final, sizeof ship.final);
    client_say(ship.fd, "ahoy", 4);
    WAIT_FOR(&quay.stage, quay.docked == 1);
    assert_int_equal(quay.channel, 5);
    assert_int_equal(client_hear(quay.fd, got, sizeof got), 4);
    assert_memory_equal(got, "ahoy", 4);
    assert_false(dock_is_open(quay.dock));
    bring(&quay, &late, 5); /* nothing is expected any more */
    expect_sent_off_in_silence(&quay, late.fd);
    close(ship.fd);
    quay_close(&quay);
}

static void who_is_brought_and_not_expected_takes_no_place(void **state)
{
    struct quay quay;
    struct ship ship, strangers[2 * PLACES];
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 1);
    bring(&quay, &ship, 1); /* it waits for our answer to be read */
    for (unsigned i = 0; i < 2 * PLACES; i++) {
        bring(&quay, &strangers[i], 2);
        expect_sent_off_in_silence(&quay, strangers[i].fd);
    }
    ship_hear_answer(&quay, &ship);
    assert_int_equal(proof_final(&ship.proof, ship.answer, ship.final), 0);
    client_say(ship.fd, ship.final, sizeof ship.final);
    WAIT_FOR(&quay.stage, quay.docked == 1);
    close(ship.fd);
    quay_close(&quay);
}

static void who_is_brought_and_says_no_more_is_sent_off(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 1);
    bring(&quay, &ship, 1);
    ship_hear_answer(&quay, &ship);
    stage_hurry(DOCK_PATIENCE_MS);
    expect_sent_off_in_silence(&quay, ship.fd);
    stage_hurry(1);
    assert_int_equal(quay.docked, 0);
    quay_close(&quay);
}

static void what_will_not_come_is_not_waited_for(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 1);
    dock_expect(quay.dock, 2);
    dock_expect_not(quay.dock, 7);
    dock_expect_not(quay.dock, 1);
    assert_true(dock_is_open(quay.dock));
    ship_hail(&quay, &ship, 1, dock_token(quay.dock));
    expect_sent_off_in_silence(&quay, ship.fd);
    dock_expect_not(quay.dock, 2);
    assert_false(dock_is_open(quay.dock));
    assert_true(port_is_closed(quay.port));
    dock_expect_not(quay.dock, 2);
    quay_close(&quay);
}

/* A gateway that never sends what it is asked for makes nobody's memory grow. */
static void of_too_many_channels_the_first_are_not_expected_any_more(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    for (unsigned i = 0; i < UINT16_MAX; i++) {
        assert_int_equal(dock_expect(quay.dock, (uint16_t)i), 0);
    }
    ship_hail(&quay, &ship, UINT16_MAX - 1 - DOCK_EXPECTED_MAX, dock_token(quay.dock));
    expect_sent_off_in_silence(&quay, ship.fd);
    ship_land(&quay, &ship, UINT16_MAX - DOCK_EXPECTED_MAX);
    close(ship.fd);
    quay_close(&quay);
}

static void recorded_bytes_are_worth_nothing(void **state)
{
    struct quay quay;
    struct ship ship, replay;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    dock_expect(quay.dock, 1);
    ship_land(&quay, &ship, 0);
    close(ship.fd);

    dock_expect(quay.dock, 0); /* even if the same channel were expected again */
    replay.fd = client_connect("127.0.0.2", quay.port);
    client_say(replay.fd, ship.hello, sizeof ship.hello);
    ship_hear_answer(&quay, &replay);
    assert_memory_not_equal(replay.answer, ship.answer, PROOF_NONCE_SIZE);
    client_say(replay.fd, ship.final, sizeof ship.final);
    expect_sent_off_in_silence(&quay, replay.fd);

    /* In one go, without waiting for the answer. */
    replay.fd = client_connect("127.0.0.2", quay.port);
    client_say(replay.fd, ship.hello, sizeof ship.hello);
    client_say(replay.fd, ship.final, sizeof ship.final);
    ship_hear_answer(&quay, &replay);
    expect_sent_off_in_silence(&quay, replay.fd);
    assert_int_equal(quay.docked, 1);
    quay_close(&quay);
}

static void of_two_at_once_the_first_to_prove_itself_comes_in(void **state)
{
    struct quay quay;
    struct ship first, second;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    ship_come_near(&quay, &first, 0);
    ship_come_near(&quay, &second, 0);
    client_say(second.fd, second.final, sizeof second.final);
    WAIT_FOR(&quay.stage, quay.docked == 1);
    client_say(first.fd, first.final, sizeof first.final);
    expect_sent_off_in_silence(&quay, first.fd);
    assert_int_equal(quay.docked, 1);
    close(second.fd);
    quay_close(&quay);
}

static void who_is_overtaken_does_not_come_in_as_the_next_channel(void **state)
{
    struct quay quay;
    struct ship first, second;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    dock_expect(quay.dock, 1);
    ship_come_near(&quay, &first, 0);
    ship_land(&quay, &second, 0);
    client_say(first.fd, first.final, sizeof first.final);
    expect_sent_off_in_silence(&quay, first.fd);
    assert_int_equal(quay.docked, 1);
    close(second.fd);
    quay_close(&quay);
}

static void silent_connections_take_few_places_and_keep_nobody_out(void **state)
{
    struct quay quay;
    struct ship ship;
    int crowd[40];
    unsigned gone = 0;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    for (unsigned i = 0; i < 40; i++) {
        crowd[i] = client_connect("127.0.0.3", quay.port);
    }
    WAIT_FOR(&quay.stage, client_was_sent_off(crowd[40 - PLACES - 1]));
    for (unsigned i = 0; i < 40; i++) {
        gone += client_was_sent_off(crowd[i]);
    }
    assert_int_equal(gone, 40 - PLACES);
    ship_land(&quay, &ship, 0);
    close(ship.fd);
    for (unsigned i = 0; i < 40; i++) {
        close(crowd[i]);
    }
    quay_close(&quay);
}

static void a_crowd_does_not_push_out_who_is_about_to_prove_itself(void **state)
{
    struct quay quay;
    struct ship ship;
    int crowd[40];
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    ship_come_near(&quay, &ship, 0);
    for (unsigned i = 0; i < 40; i++) {
        crowd[i] = client_connect("127.0.0.3", quay.port);
    }
    WAIT_FOR(&quay.stage, client_was_sent_off(crowd[10]));
    client_say(ship.fd, ship.final, sizeof ship.final);
    WAIT_FOR(&quay.stage, quay.docked == 1);
    close(ship.fd);
    for (unsigned i = 0; i < 40; i++) {
        close(crowd[i]);
    }
    quay_close(&quay);
}

/* Its hello was lost on the way, and is sent again a moment later. */
static void a_crowd_of_many_addresses_does_not_push_out_the_gateway(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct quay quay;
        struct ship ship;
        struct addr gateway;
        int crowd[150];
        char from[32];
        quay_open(&quay);
        dock_expect(quay.dock, 0);
        if (known) {
            assert_int_equal(addr_parse("127.0.0.2", 1, &gateway), 0);
            dock_expect_from(quay.dock, &gateway);
        }
        assert_int_equal(proof_hello(&ship.proof, NUMBER, 0, dock_token(quay.dock), ship.hello), 0);
        ship.fd = client_connect("127.0.0.2", quay.port);
        for (unsigned i = 0; i < 150; i++) {
            /* From everywhere, or, if nobody knows where the gateway is, from a few providers. */
            snprintf(from, sizeof from, "127.%u.%u.1", known ? 100 + i : 100 + i % 10, i % 50);
            crowd[i] = client_connect(from, quay.port);
            stage_turn(&quay.stage);
        }
        WAIT_FOR(&quay.stage, client_was_sent_off(crowd[20]));
        assert_false(client_was_sent_off(ship.fd));
        client_say(ship.fd, ship.hello, sizeof ship.hello);
        ship_hear_answer(&quay, &ship);
        assert_int_equal(proof_final(&ship.proof, ship.answer, ship.final), 0);
        client_say(ship.fd, ship.final, sizeof ship.final);
        WAIT_FOR(&quay.stage, quay.docked == 1);
        close(ship.fd);
        for (unsigned i = 0; i < 150; i++) {
            close(crowd[i]);
        }
        quay_close(&quay);
    }
}

static void a_slow_one_is_sent_off_in_time(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    dock_expect(quay.dock, 0);
    stage_hurry(50);
    uint64_t since = stage_ms();
    ship_come_near(&quay, &ship, 0);
    int silent = client_connect("127.0.0.3", quay.port);
    WAIT_FOR(&quay.stage, client_was_sent_off(silent) && client_was_sent_off(ship.fd));
    assert_true(stage_ms() - since >= DOCK_PATIENCE_MS / 50 - 5);
    close(silent);
    close(ship.fd);
    stage_hurry(1);
    ship_land(&quay, &ship, 0); /* it is still expected */
    close(ship.fd);
    quay_close(&quay);
}

static void the_dock_may_be_closed_when_somebody_comes_in(void **state)
{
    struct quay quay;
    struct ship ship;
    (void)state;
    quay_open(&quay);
    quay.close_when_docked = true;
    dock_expect(quay.dock, 0);
    int other = client_connect("127.0.0.3", quay.port);
    ship_land(&quay, &ship, 0);
    expect_sent_off_in_silence(&quay, other);
    assert_false(client_was_sent_off(ship.fd));
    assert_true(port_is_closed(quay.port));
    close(ship.fd);
    quay_close(&quay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_gateway_comes_in),
        cmocka_unit_test(what_follows_the_proof_stays_in_the_socket),
        cmocka_unit_test(a_proof_may_come_byte_by_byte),
        cmocka_unit_test(a_wrong_token_proves_nothing),
        cmocka_unit_test(the_answer_of_the_server_is_no_last_word),
        cmocka_unit_test(a_gateway_is_watched_once_and_a_stranger_who_speaks_never),
        cmocka_unit_test(a_hello_that_is_not_expected_meets_silence),
        cmocka_unit_test(a_channel_comes_in_once),
        cmocka_unit_test(several_channels_come_in_side_by_side_and_in_any_order),
        cmocka_unit_test(the_port_is_open_only_while_a_channel_is_expected),
        cmocka_unit_test(with_several_paths_it_stays_open_and_lets_nobody_in),
        cmocka_unit_test(who_is_brought_goes_on_as_if_it_had_come),
        cmocka_unit_test(who_is_brought_and_not_expected_takes_no_place),
        cmocka_unit_test(who_is_brought_and_says_no_more_is_sent_off),
        cmocka_unit_test(what_will_not_come_is_not_waited_for),
        cmocka_unit_test(of_too_many_channels_the_first_are_not_expected_any_more),
        cmocka_unit_test(recorded_bytes_are_worth_nothing),
        cmocka_unit_test(of_two_at_once_the_first_to_prove_itself_comes_in),
        cmocka_unit_test(who_is_overtaken_does_not_come_in_as_the_next_channel),
        cmocka_unit_test(silent_connections_take_few_places_and_keep_nobody_out),
        cmocka_unit_test(a_crowd_does_not_push_out_who_is_about_to_prove_itself),
        cmocka_unit_test(a_crowd_of_many_addresses_does_not_push_out_the_gateway),
        cmocka_unit_test(a_slow_one_is_sent_off_in_time),
        cmocka_unit_test(the_dock_may_be_closed_when_somebody_comes_in),
    };
    return cmocka_run_group_tests_name("dock", tests, NULL, NULL);
}
