/*
 * The control port: who keeps a place there while others press in, what a key is good
 * for, and what of it reaches the log.
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
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sieve.h"
#include "control/tls.h"
#include "data/proof.h"
#include "vps_world.h"

enum { HELLO_MAX = 2048, CROWD_MAX = 700 };

static const uint8_t KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, yes..";

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world_init(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* ---- who comes ------------------------------------------------------------ */

/* A gateway that the test moves by hand. */
struct login {
    int fd;
    struct tls_config *config;
    struct tls *tls;
};

static struct login login_begin_with(struct world *world, const char *from, const uint8_t *key)
{
    struct login login = {.fd = client_connect(from, world->settings.control_port)};
    assert_int_equal(fcntl(login.fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(tls_config_client("office", key, &login.config), 0);
    assert_int_equal(tls_new(login.config, login.fd, &login.tls), 0);
    return login;
}

static struct login login_begin(struct world *world, const char *from)
{
    return login_begin_with(world, from, KEY);
}

static void login_end(struct login *login)
{
    tls_free(login->tls);
    tls_config_free(login->config);
    close(login->fd);
}

static bool has_an_answer(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* Says the ClientHello, and waits for the answer without reading it. */
static void login_show_key(struct world *world, struct login *login)
{
    struct why why;
    assert_int_equal(tls_handshake(login->tls, &why), TLS_WANT_READ);
    WAIT_FOR(&world->stage, has_an_answer(login->fd));
}

struct crowd {
    int fds[CROWD_MAX];
    unsigned count;
};

/* So many silent connections, from as many addresses: net, a number from `first` on, rest. */
struct origin {
    const char *net;
    unsigned first, addresses;
    const char *rest;
};

static const struct origin ONE = {"127.0.5.", 5, 1, ""}, NETWORK = {"127.0.5.", 1, 200, ""},
                           MANY = {"127.0.", 1, 200, ".1"}, NINE = {"127.0.", 1, 9, ".1"},
                           FAR = {"127.9.9.", 9, 1, ""};

static void crowd_come(struct world *world, struct crowd *crowd, unsigned count,
                       const struct origin *origin)
{
    for (unsigned i = 0; i < count; i++) {
        char host[32];
        snprintf(host, sizeof host, "%s%u%s", origin->net, origin->first + i % origin->addresses,
                 origin->rest);
        assert_true(crowd->count < CROWD_MAX);
        crowd->fds[crowd->count++] = client_connect(host, world->settings.control_port);
        stage_turn(&world->stage); /* takes one, or the backlog would be full soon */
        stage_turn(&world->stage);
    }
    for (int turn = 0; turn < 50 && !stage_is_quiet(&world->stage, 10); turn++) {
        stage_turn(&world->stage);
    }
}

static unsigned crowd_left(const struct crowd *crowd)
{
    unsigned left = 0;
    for (unsigned i = 0; i < crowd->count; i++) {
        left += !client_was_sent_off(crowd->fds[i]);
    }
    return left;
}

static void crowd_go(struct crowd *crowd)
{
    while (crowd->count > 0) {
        close(crowd->fds[--crowd->count]);
    }
}

/* ---- places --------------------------------------------------------------- */

static void who_has_shown_the_key_is_not_pushed_out(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.count = 0};
    struct why why;
    int err;
    world_start(world);
    struct login login = login_begin(world, "127.0.5.5");
    login_show_key(world, &login);
    crowd_come(world, &crowd, 200, &ONE);
    crowd_come(world, &crowd, 200, &NETWORK);
    crowd_come(world, &crowd, 200, &MANY);
    assert_in_range(crowd_left(&crowd), 1, GATEWAYS_UNFINISHED_MAX - 1);
    WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, 0);
    login_end(&login);
    crowd_go(&crowd);
    world_stop(world);
}

static void each_party_and_each_network_has_its_places(void **state)
{
    static const struct {
        const struct origin *from;
        unsigned left;
    } ROWS[] = {
        {&ONE, GATEWAYS_UNFINISHED_PER_PARTY},
        {&NETWORK, GATEWAYS_UNFINISHED_PER_NETWORK},
        {&MANY, GATEWAYS_UNFINISHED_MAX},
    };
    struct world *world = *state;
    world_start(world);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct crowd crowd = {.count = 0};
        crowd_come(world, &crowd, 300, ROWS[i].from);
        assert_int_equal(crowd_left(&crowd), ROWS[i].left);
        crowd_go(&crowd);
        for (int turn = 0; turn < 150; turn++) { /* each hang-up is noticed in a turn */
            stage_turn(&world->stage);
        }
    }
    assert_true(world_logged(world, "too many unfinished handshakes"));
    world_stop(world);
}

/* Its first bytes are on their way, as those of a data channel with DATA_PORT=control. */
static void who_has_just_come_makes_no_room_for_its_neighbours(void **state)
{
    struct world *world = *state;
    struct crowd before = {.count = 0}, fresh = {.count = 0};
    world_start(world);
    crowd_come(world, &before, GATEWAYS_UNFINISHED_PER_PARTY, &ONE);
    stage_hurry(100);
    for (uint64_t until = clock_ms() + 1000; clock_ms() < until;) {
        stage_turn(&world->stage);
    }
    stage_hurry(0);
    crowd_come(world, &fresh, GATEWAYS_UNFINISHED_PER_PARTY, &ONE);
    assert_int_equal(crowd_left(&fresh), GATEWAYS_UNFINISHED_PER_PARTY);
    assert_int_equal(crowd_left(&before), 0);
    stage_hurry(1);
    crowd_go(&fresh);
    crowd_go(&before);
    world_stop(world);
}

/* However many come, they push out each other. */
static void who_is_alone_in_a_network_keeps_the_place_without_a_word(void **state)
{
    struct world *world = *state;
    struct crowd alone = {.count = 0}, crowd = {.count = 0};
    world_start(world);
    crowd_come(world, &alone, 1, &FAR);
    crowd_come(world, &crowd, 400, &NINE);
    crowd_come(world, &crowd, 200, &NETWORK);
    assert_int_equal(crowd_left(&alone), 1);
    crowd_go(&crowd);
    crowd_go(&alone);
    world_stop(world);
}

/* ---- data channels at the same port ---------------------------------------- */

/* So many that begin a data channel, and do not go on. */
static void crowd_says(struct crowd *crowd, const void *bytes, size_t len)
{
    for (unsigned i = 0; i < crowd->count; i++) {
        send(crowd->fds[i], bytes, len, MSG_NOSIGNAL);
    }
}

static void a_session_works_over_the_control_port_alone(void **state)
{
    struct world *world = *state;
    int data;
    world->settings.data_port = DATA_PORT_CONTROL;
    world_start(world);
    struct session *session = world_ask_until_waiting(world, KIND_SSH, &data);
    assert_int_equal(data_port(session), world->settings.control_port);
    assert_int_equal(world->peers[0].last.data_port, world->settings.control_port);
    int client = come_with_ssh(session, "127.0.0.1");
    world_hear(world, data, SSH_ID, strlen(SSH_ID));
    /* And one more connection, with a channel of its own. */
    int second = come_with_ssh(session, "127.0.0.1");
    WAIT_FOR(&world->stage, world->peers[0].opens == 2);
    assert_int_equal(world->peers[0].last.channel, 1);
    int more = peer_attach(world, &world->peers[0]);
    world_hear(world, more, SSH_ID, strlen(SSH_ID));
    close(client);
    close(second);
    close(data);
    close(more);
    world_stop(world);
}

static void who_is_at_the_control_port_says_it_in_pieces(void **state)
{
    struct world *world = *state;
    struct proof proof;
    uint8_t hello[PROOF_HELLO_SIZE];
    char byte;
    world->settings.data_port = DATA_PORT_CONTROL;
    world_start(world);
    world_ask(world, KIND_RDP);
    const struct message_open_tunnel *asked = &world->peers[0].last;
    assert_int_equal(proof_hello(&proof, asked->session, 0, asked->token, hello), 0);
    int fd = client_connect("127.0.0.9", world->settings.control_port);
    for (size_t i = 0; i < sizeof hello; i++) {
        assert_false(has_an_answer(fd));
        client_say(fd, &hello[i], 1);
        stage_turn(&world->stage);
        stage_turn(&world->stage);
    }
    WAIT_FOR(&world->stage, has_an_answer(fd));
    close(fd);

    static const size_t WRONG[] = {1, 4, 5, 7, 15}; /* magic, version, channel, session */
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        uint8_t other[PROOF_HELLO_SIZE];
        memcpy(other, hello, sizeof other);
        other[WRONG[i]] ^= 1;
        fd = client_connect("127.0.0.9", world->settings.control_port);
        client_say(fd, other, sizeof other);
        WAIT_FOR(&world->stage, client_was_sent_off(fd));
        assert_int_equal(client_hear(fd, &byte, 1), 0);
        close(fd);
    }
    world_stop(world);
}

static void a_crowd_at_one_door_does_not_close_the_other(void **state)
{
    static const char *const SAID[] = {"", "PMTD", "\x16\x03\x01"};
    struct world *world = *state;
    world->settings.data_port = DATA_PORT_CONTROL;
    world_start(world);
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++) {
        struct crowd crowd = {.count = 0};
        int data, err;
        struct why why;
        crowd_come(world, &crowd, 150, &NINE);
        crowd_says(&crowd, SAID[i], strlen(SAID[i]));
        for (int turn = 0; turn < 100; turn++) {
            stage_turn(&world->stage);
        }
        assert_in_range(crowd_left(&crowd), 1, GATEWAYS_UNFINISHED_MAX);
        struct login login = login_begin(world, "127.9.9.9");
        WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
        assert_int_equal(err, 0);
        login_end(&login);
        struct session *session = world_ask_until_waiting(world, KIND_RDP, &data);
        session_close(session);
        close(data);
        crowd_go(&crowd);
        for (int turn = 0; turn < 400; turn++) {
            stage_turn(&world->stage);
        }
    }
    world_stop(world);
}

static void who_does_not_say_what_it_is_goes(void **state)
{
    struct world *world = *state;
    char byte;
    world->settings.data_port = DATA_PORT_CONTROL;
    world_start(world);
    int silent = client_connect("127.0.0.9", world->settings.control_port);
    int half = client_connect("127.0.0.9", world->settings.control_port);
    client_say(half, "PMTD", 4);
    for (int turn = 0; turn < 10; turn++) {
        stage_turn(&world->stage);
    }
    assert_false(client_was_sent_off(half));
    stage_hurry(CHANNEL_HANDSHAKE_MS);
    WAIT_FOR(&world->stage, client_was_sent_off(silent) && client_was_sent_off(half));
    stage_hurry(1);
    assert_int_equal(client_hear(half, &byte, 1), 0);
    assert_true(world_logged(world, "it took too long to say what it is"));
    close(silent);
    close(half);
    int waiting = client_connect("127.0.0.9", world->settings.control_port);
    stage_turn(&world->stage);
    close(waiting);
    world_stop(world); /* with one that has not said it */
}

/* ---- what is played back -------------------------------------------------- */

static void a_login_that_is_played_back_is_served_only_so_often(void **state)
{
    struct world *world = *state;
    uint8_t hello[HELLO_MAX];
    unsigned answered = 0;
    int fds[2];
    struct tls_config *config;
    struct tls *tls;
    struct why why;
    world_start(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(tls_config_client("home", KEY, &config), 0);
    assert_int_equal(tls_new(config, fds[0], &tls), 0);
    assert_int_equal(tls_handshake(tls, &why), TLS_WANT_READ);
    ssize_t len = recv(fds[1], hello, sizeof hello, 0);
    assert_in_range(len, 100, HELLO_MAX);
    for (unsigned i = 0; i < 3 * GATEWAYS_FALSE_STARTS_PER_PARTY; i++) {
        int fd = client_connect("127.0.5.5", world->settings.control_port);
        send(fd, hello, (size_t)len, MSG_NOSIGNAL);
        WAIT_FOR(&world->stage, has_an_answer(fd) || client_was_sent_off(fd));
        answered += has_an_answer(fd);
        close(fd);
        stage_turn(&world->stage); /* the hang-up is noticed */
        stage_turn(&world->stage);
        stage_turn(&world->stage);
    }
    /* A second or two may have passed. */
    assert_in_range(answered, GATEWAYS_FALSE_STARTS_PER_PARTY, GATEWAYS_FALSE_STARTS_PER_PARTY + 8);
    assert_true(world_logged(world, "many logins began there"));

    struct login elsewhere = login_begin(world, "127.0.6.6");
    login_show_key(world, &elsewhere);
    login_end(&elsewhere);
    stage_hurry(1000); /* and it comes back */
    for (int turn = 0; turn < 10; turn++) {
        stage_turn(&world->stage);
    }
    stage_hurry(1);
    int fd = client_connect("127.0.5.5", world->settings.control_port);
    send(fd, hello, (size_t)len, MSG_NOSIGNAL);
    WAIT_FOR(&world->stage, has_an_answer(fd) || client_was_sent_off(fd));
    assert_true(has_an_answer(fd));
    close(fd);
    tls_free(tls);
    tls_config_free(config);
    close(fds[0]);
    close(fds[1]);
    world_stop(world);
}

/* ---- keys ----------------------------------------------------------------- */

static void so_many_gateways_share_a_key_and_no_more(void **state)
{
    struct world *world = *state;
    struct peer peers[GATEWAYS_PER_SHARED_KEY] = {{0}};
    char name[32];
    int err;
    world_start(world); /* logs "home" in */
    for (unsigned i = 1; i < GATEWAYS_PER_SHARED_KEY; i++) {
        snprintf(name, sizeof name, "gateway-%u", i);
        peer_log_in(world, &peers[i], name);
    }
    struct login login = login_begin(world, "127.0.0.1"); /* "office" */
    struct why why;
    WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, 0);
    static const uint8_t HELLO[] = {0, 9, 1, 0, 1, 0, 1, 0, 30, 0, 0};
    assert_int_equal(tls_write(login.tls, HELLO, sizeof HELLO), sizeof HELLO);
    WAIT_FOR(&world->stage, world_logged(world, "gateway office: turned away: 16 gateways"));
    assert_null(gateways_find(world->gateways, "office"));
    login_end(&login);
    peer_log_in(world, &world->peers[1], "HOME"); /* one of them may come again */
    for (unsigned i = 1; i < GATEWAYS_PER_SHARED_KEY; i++) {
        assert_true(peers[i].open);
        channel_free(peers[i].channel);
        tls_config_free(peers[i].tls);
    }
    world_stop(world);
}

/* "Several" stays, though the others are gone: aliases must not change back. */
static void with_one_key_several_names_make_several_gateways(void **state)
{
    struct world *world = *state;
    struct peer again = {0}, other = {0};
    world_start(world); /* logs "home" in */
    assert_false(gateways_are_several(world->gateways));
    peer_log_in(world, &again, "HOME");
    assert_false(gateways_are_several(world->gateways));
    peer_log_in(world, &other, "office");
    assert_true(gateways_are_several(world->gateways));
    channel_free(other.channel);
    tls_config_free(other.tls);
    WAIT_FOR(&world->stage, !gateways_find(world->gateways, "office"));
    assert_true(gateways_are_several(world->gateways));
    channel_free(again.channel);
    tls_config_free(again.tls);
    world_stop(world);
}

/* Says HELLO as a gateway does. */
static void log_in_by_hand(struct world *world, struct login *login)
{
    static const uint8_t HELLO[] = {0, 9, 1, 0, 1, 0, 1, 0, 30, 0, 0};
    struct why why;
    int err;
    WAIT_FOR(&world->stage, (err = tls_handshake(login->tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, 0);
    assert_int_equal(tls_write(login->tls, HELLO, sizeof HELLO), sizeof HELLO);
}

static void add_key_of_office(struct world *world, uint8_t first, int64_t until)
{
    unsigned number = world->settings.tunnel_key.count++;
    struct gateway_key *key = &world->settings.tunnel_key.keys[number];
    strcpy(key->name, "Office");
    memcpy(key->key, KEY, sizeof KEY);
    key->key[0] = first;
    key->until = until;
}

/* A key of its own is the only one that lets a gateway in. */
static void the_shared_key_is_not_for_who_has_one(void **state)
{
    struct world *world = *state;
    struct why why;
    int err;
    world_start(world);
    add_key_of_office(world, 'A', 0);
    struct login login = login_begin(world, "127.0.0.1"); /* with the shared one */
    WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, -EACCES);
    WAIT_FOR(&world->stage, world_logged(world, "does not hold the right key"));
    login_end(&login);
    world->settings.tunnel_key.keys[1].key[0] = KEY[0];
    login = login_begin(world, "127.0.0.1");
    log_in_by_hand(world, &login);
    WAIT_FOR(&world->stage, gateways_find(world->gateways, "office"));
    assert_non_null(gateways_find(world->gateways, "home"));
    login_end(&login);
    world_stop(world);
}

static void gateways_with_keys_of_their_own_do_not_count_as_sharing(void **state)
{
    struct world *world = *state;
    struct peer peers[GATEWAYS_PER_SHARED_KEY] = {{0}};
    char name[32];
    world_start(world);
    add_key_of_office(world, KEY[0], 0);
    struct login login = login_begin(world, "127.0.0.1");
    log_in_by_hand(world, &login);
    WAIT_FOR(&world->stage, gateways_find(world->gateways, "office"));
    for (unsigned i = 1; i < GATEWAYS_PER_SHARED_KEY; i++) {
        snprintf(name, sizeof name, "gateway-%u", i);
        peer_log_in(world, &peers[i], name);
    }
    for (unsigned i = 1; i < GATEWAYS_PER_SHARED_KEY; i++) {
        channel_free(peers[i].channel);
        tls_config_free(peers[i].tls);
    }
    login_end(&login);
    world_stop(world);
}

static void a_key_that_was_not_used_in_time_lets_nobody_in(void **state)
{
    struct world *world = *state;
    uint8_t answer[300];
    char *said = NULL;
    size_t len = 0;
    world_start(world);
    add_key_of_office(world, KEY[0], 1764200000);
    struct login login = login_begin(world, "127.0.0.1");
    log_in_by_hand(world, &login);
    WAIT_FOR(&world->stage,
             world_logged(world, "gateway office: turned away: the join string of gateway office "
                                 "expired at 2025-11-26 23:33 UTC, before it was used; make a "
                                 "new one: vps-agent --invite office --new-key"));
    for (long got; (got = tls_read(login.tls, answer + len, sizeof answer - 1 - len)) > 0;) {
        len += (size_t)got;
    }
    answer[len] = '\0';
    for (size_t i = 0; i < len && !said; i++) {
        said = strstr((char *)answer + i, "the join string expired at 2025-11-26 23:33 UTC");
    }
    assert_non_null(said);
    assert_null(gateways_find(world->gateways, "office"));
    login_end(&login);

    world->settings.tunnel_key.keys[1].until = INT64_C(1) << 40;
    login = login_begin(world, "127.0.0.1");
    log_in_by_hand(world, &login);
    WAIT_FOR(&world->stage, gateways_find(world->gateways, "office"));
    world->settings.tunnel_key.keys[1].until = 1; /* that does not matter any more */
    struct login again = login_begin(world, "127.0.0.1");
    log_in_by_hand(world, &again);
    WAIT_FOR(&world->stage, world_logged(world, "gateway office: a new login replaces"));
    login_end(&again);
    login_end(&login);
    world_stop(world);
}

static unsigned lines_with(struct world *world, const char *text)
{
    unsigned count = 0;
    fflush(world->log.stream);
    for (const char *at = world->log_text; (at = strstr(at, text)); at++) {
        count++;
    }
    return count;
}

/* ---- keys that come and go ---------------------------------------------------- */

static const uint8_t FIRST[CRYPTO_KEY_SIZE] = "the first of thirty-two bytes...";
static const uint8_t SECOND[CRYPTO_KEY_SIZE] = "the second of thirty-two bytes..";
static const struct owner ROOT = {OWNER_LOCAL, 0};

static struct keyring_entry of_office(const uint8_t *key)
{
    return (struct keyring_entry){.gateway = "office", .key = key, .origin = KEY_ADDED};
}

/* It is online with that key, or refused. */
static struct login office_comes(struct world *world, const uint8_t *key)
{
    struct login login = login_begin_with(world, "127.0.0.1", key);
    log_in_by_hand(world, &login);
    WAIT_FOR(&world->stage, gateways_find(world->gateways, "office"));
    return login;
}

static void expect_refused(struct world *world, const uint8_t *key)
{
    struct login login = login_begin_with(world, "127.0.0.1", key);
    struct why why;
    int err;
    WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, -EACCES);
    login_end(&login);
}

static void one_that_is_added_logs_in_at_once(void **state)
{
    struct world *world = *state;
    struct keyring_entry entry = of_office(FIRST);
    struct why why;
    world_start(world);
    expect_refused(world, FIRST);
    struct login unfinished = login_begin(world, "127.0.0.5");
    login_show_key(world, &unfinished); /* with the one that all share */
    assert_int_equal(gateways_add(world->gateways, &entry, &ROOT, &why), 0);
    assert_int_equal(gateways_add(world->gateways, &entry, &ROOT, &why), -EINVAL);
    int err;
    WAIT_FOR(&world->stage, (err = tls_handshake(unfinished.tls, &why)) != TLS_WANT_READ);
    WAIT_FOR(&world->stage, client_was_sent_off(unfinished.fd)); /* it begins anew */
    login_end(&unfinished);
    struct login login = office_comes(world, FIRST);
    assert_true(gateways_are_several(world->gateways));
    expect_refused(world, KEY); /* it has one of its own now */
    login_end(&login);
    world_stop(world);
}

static void one_that_shared_a_key_is_not_cut_off_when_it_gets_its_own(void **state)
{
    struct world *world = *state;
    struct keyring_entry entry = of_office(FIRST);
    struct why why;
    world_start(world);
    struct login login = office_comes(world, KEY);
    assert_int_equal(gateways_add(world->gateways, &entry, &ROOT, &why), 0);
    assert_non_null(gateways_find(world->gateways, "office"));
    struct login again = office_comes(world, KEY);
    WAIT_FOR(&world->stage, world_logged(world, "gateway office: a new login replaces"));
    struct login own = office_comes(world, FIRST);
    WAIT_FOR(&world->stage, lines_with(world, "gateway office: a new login replaces") == 2);
    expect_refused(world, KEY);
    login_end(&login);
    login_end(&again);
    login_end(&own);
    world_stop(world);
}

static void while_a_key_is_replaced_the_gateway_goes_on(void **state)
{
    struct world *world = *state;
    struct keyring_entry entry = of_office(FIRST), next = of_office(SECOND);
    struct why why;
    world_start(world);
    assert_int_equal(gateways_add(world->gateways, &entry, &ROOT, &why), 0);
    struct login login = office_comes(world, FIRST);
    assert_int_equal(gateways_rotate(world->gateways, &next, &ROOT, &why), 0);
    assert_non_null(gateways_find(world->gateways, "office"));
    struct login again = office_comes(world, FIRST); /* it came back, with what it has */
    WAIT_FOR(&world->stage, world_logged(world, "gateway office: a new login replaces"));
    assert_false(world_logged(world, "logged in with its new key"));
    struct login new = office_comes(world, SECOND);
    WAIT_FOR(&world->stage, world_logged(world, "gateway office: logged in with its new key"));
    expect_refused(world, FIRST);
    assert_non_null(gateways_find(world->gateways, "office"));
    login_end(&login);
    login_end(&again);
    login_end(&new);
    world_stop(world);
}

static void one_that_is_removed_is_out_at_once_and_so_are_its_sessions(void **state)
{
    struct world *world = *state;
    struct keyring_entry entry = of_office(FIRST);
    struct session_request request = {.owner = {OWNER_TELEGRAM, 42}, .kind = KIND_SSH};
    struct session *session = NULL;
    struct why why;
    world_start(world);
    world->settings.tunnel_key.count = 0; /* nobody shares one */
    assert_int_equal(gateways_add(world->gateways, &entry, &ROOT, &why), 0);
    struct login login = office_comes(world, FIRST);
    strcpy(request.target.host, "HOME-PC");
    strcpy(request.target.gateway, "office");
    request.target.port = 22;
    assert_int_equal(sessions_open(world->sessions, &request, &session, &why), 0);
    assert_int_equal(gateways_expel(world->gateways, "Office", &ROOT, &why), 0);
    assert_null(gateways_find(world->gateways, "office"));
    assert_int_equal(world->ended, 1);
    assert_int_equal(world->last.end, SESSION_END_GATEWAY_REMOVED);
    assert_true(
        world_logged(world, "gateway office: offline: this gateway was removed on the VPS"));
    expect_refused(world, FIRST);
    assert_int_equal(gateways_expel(world->gateways, "office", &ROOT, &why), -ENOENT);
    assert_false(attendance_knows(gateways_attendance(world->gateways), "office"));
    login_end(&login);
    world_stop(world);
}

static void without_any_key_users_are_told_what_to_do(void **state)
{
    struct world *world = *state;
    struct gateway *gateway;
    struct why why;
    world_start(world);
    struct vps_settings before = world->settings;
    world->settings.tunnel_key.count = 0;
    gateways_settings_changed(world->gateways, &before);
    assert_int_equal(gateways_pick(world->gateways, "", &gateway, &why), -ENOTCONN);
    assert_non_null(strstr(why.text, "pamctl gateway pair on the server"));
    assert_false(gateways_expect(world->gateways, ""));
    WAIT_FOR(&world->stage, !world->peers[0].channel);
    world_stop(world);
}

static void who_has_a_key_does_not_fill_the_log(void **state)
{
    enum { LOGINS = 150 };
    struct world *world = *state;
    world_start(world);
    for (unsigned i = 0; i < LOGINS; i++) {
        peer_vanish(world, &world->peers[0]);
        peer_log_in(world, &world->peers[0], "home");
    }
    assert_in_range(lines_with(world, "gateway home: "), 200, 220);
    world_stop(world);
}

static void a_noisy_network_does_not_keep_another_out_of_the_log(void **state)
{
    struct world *world = *state;
    struct crowd crowd = {.count = 0};
    world_start(world);
    for (unsigned round = 0; round < 30; round++) {
        crowd_come(world, &crowd, 1, &ONE);
        crowd_go(&crowd);
    }
    crowd_come(world, &crowd, 1, &FAR);
    crowd_go(&crowd);
    WAIT_FOR(&world->stage, world_logged(world, "control port: 127.9.9.9: "));
    assert_int_equal(lines_with(world, "control port: 127.0.5.5: "), SIEVE_BURST);
    world_stop(world);
}

/* ---- a gateway that does not answer ---------------------------------------- */

static void a_gateway_that_is_asked_for_a_tunnel_and_is_silent_is_offline_soon(void **state)
{
    struct world *world = *state;
    struct session_request request = {.owner = {OWNER_TELEGRAM, 42}, .kind = KIND_SSH};
    struct session *session = NULL;
    struct why why = {""};
    world_start(world);
    struct login login = login_begin(world, "127.0.0.1");
    int err;
    WAIT_FOR(&world->stage, (err = tls_handshake(login.tls, &why)) != TLS_WANT_READ);
    assert_int_equal(err, 0);
    static const uint8_t HELLO[] = {0, 9, 1, 0, 1, 0, 1, 14, 16, 0, 0}; /* a ping each hour */
    assert_int_equal(tls_write(login.tls, HELLO, sizeof HELLO), sizeof HELLO);
    WAIT_FOR(&world->stage, gateways_find(world->gateways, "office"));
    strcpy(request.target.host, "HOME-PC");
    strcpy(request.target.gateway, "office");
    request.target.port = 22;
    assert_int_equal(sessions_open(world->sessions, &request, &session, &why), 0);
    stage_hurry(10);
    WAIT_FOR(&world->stage, !gateways_find(world->gateways, "office"));
    assert_true(world_logged(world, "gateway office: offline: a ping that could not wait"));
    assert_non_null(gateways_find(world->gateways, "home"));
    assert_int_equal(world->ended, 1);
    stage_hurry(1);
    login_end(&login);
    world_stop(world);
}

static void another_key_takes_another_login_and_touches_nobody_else(void **state)
{
    struct world *world = *state;
    struct vps_settings before;
    struct key_list *keys = &world->settings.tunnel_key;
    world_start(world);
    peer_log_in(world, &world->peers[1], "office");
    struct login unfinished = login_begin(world, "127.0.0.5");
    before = world->settings;
    gateways_settings_changed(world->gateways, &before); /* the same */
    assert_non_null(gateways_find(world->gateways, "office"));

    keys->count = 2;
    keys->keys[1] = keys->keys[0];
    strcpy(keys->keys[0].name, "home");
    strcpy(keys->keys[1].name, "office");
    keys->keys[1].key[0] ^= 1;
    gateways_settings_changed(world->gateways, &before);
    assert_null(gateways_find(world->gateways, "office"));
    assert_non_null(gateways_find(world->gateways, "home"));
    WAIT_FOR(&world->stage, !world->peers[1].channel);
    assert_int_equal(world->peers[1].goodbye, GOODBYE_SHUTDOWN);
    assert_true(
        world_logged(world, "gateway office: offline: this gateway has another TUNNEL_KEY now"));
    struct why why;
    int err;
    WAIT_FOR(&world->stage, (err = tls_handshake(unfinished.tls, &why)) != TLS_WANT_READ);
    assert_true(err < 0); /* it began with what the list was before */

    before = world->settings;
    keys->count = 0;
    gateways_settings_changed(world->gateways, &before);
    assert_null(gateways_next(world->gateways, NULL));
    assert_true(
        world_logged(world, "gateway home: offline: this gateway has no TUNNEL_KEY any more"));
    WAIT_FOR(&world->stage, !world->peers[0].channel);
    login_end(&unfinished);
    world_stop(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_shown_the_key_is_not_pushed_out),
        TEST(each_party_and_each_network_has_its_places),
        TEST(who_has_just_come_makes_no_room_for_its_neighbours),
        TEST(who_is_alone_in_a_network_keeps_the_place_without_a_word),
        TEST(a_session_works_over_the_control_port_alone),
        TEST(who_is_at_the_control_port_says_it_in_pieces),
        TEST(a_crowd_at_one_door_does_not_close_the_other),
        TEST(who_does_not_say_what_it_is_goes),
        TEST(a_login_that_is_played_back_is_served_only_so_often),
        TEST(so_many_gateways_share_a_key_and_no_more),
        TEST(with_one_key_several_names_make_several_gateways),
        TEST(the_shared_key_is_not_for_who_has_one),
        TEST(gateways_with_keys_of_their_own_do_not_count_as_sharing),
        TEST(a_key_that_was_not_used_in_time_lets_nobody_in),
        TEST(one_that_is_added_logs_in_at_once),
        TEST(one_that_shared_a_key_is_not_cut_off_when_it_gets_its_own),
        TEST(while_a_key_is_replaced_the_gateway_goes_on),
        TEST(one_that_is_removed_is_out_at_once_and_so_are_its_sessions),
        TEST(without_any_key_users_are_told_what_to_do),
        TEST(who_has_a_key_does_not_fill_the_log),
        TEST(a_noisy_network_does_not_keep_another_out_of_the_log),
        TEST(a_gateway_that_is_asked_for_a_tunnel_and_is_silent_is_offline_soon),
        TEST(another_key_takes_another_login_and_touches_nobody_else),
    };
    return cmocka_run_group_tests_name("gateways", tests, NULL, NULL);
}
