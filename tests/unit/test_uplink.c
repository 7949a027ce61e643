/*
 * The control connection of a gateway, on a real event loop: the test listens
 * as the VPS does, with the other end of the same channel.
 */
#include <errno.h>
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

#include "base/clock.h"
#include "base/net.h"
#include "control/accord.h"
#include "control/channel.h"
#include "gateway/uplink.h"

enum { PATIENCE_MS = 8000 };

static char folder[] = "/tmp/test_uplink.XXXXXX"; /* STATE_DIR */

static const uint8_t KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, yes..";
static const uint8_t OTHER_KEY[CRYPTO_KEY_SIZE] = "a key of thirty-two bytes, no...";

struct world {
    uv_loop_t loop;
    FILE *log_file;
    char *log_text;
    size_t log_size;
    struct log log;
    int listener;
    struct uplink *uplink;
    struct credentials credentials;
    char code[ACCORD_CODE_MAX];
    unsigned received, opened, lost;
    struct message last;
    struct addr last_from;

    /* The VPS. */
    struct tls_config *tls;
    struct channel *channel;
    bool vps_open;
    enum channel_end vps_end;
    struct message vps_last;
    bool vps_met, vps_forgets;
    struct accord accord;
    unsigned vps_received, vps_closed;
};

static void on_received(void *arg, const struct message *message, const struct addr *vps)
{
    struct world *world = arg;
    world->received++;
    world->last = *message;
    world->last_from = *vps;
}

static void on_opened(void *arg)
{
    struct world *world = arg;
    world->opened++;
    assert_true(uplink_is_open(world->uplink));
}

static void on_lost(void *arg)
{
    struct world *world = arg;
    world->lost++;
}

static void on_waits(void *arg, const char *code)
{
    struct world *world = arg;
    snprintf(world->code, sizeof world->code, "%s", code);
    assert_string_equal(uplink_code(world->uplink), code);
}

static const struct uplink_events EVENTS = {
    .received = on_received, .opened = on_opened, .lost = on_lost, .waits = on_waits};

static void vps_on_opened(void *arg)
{
    struct world *world = arg;
    world->vps_open = true;
}

static void vps_on_received(void *arg, const struct message *message)
{
    struct world *world = arg;
    world->vps_received++;
    world->vps_last = *message;
}

static void vps_on_closed(void *arg, enum channel_end end, const struct why *why)
{
    struct world *world = arg;
    (void)why;
    world->vps_end = end;
    world->vps_closed++;
    world->vps_open = world->vps_met = false;
    channel_free(world->channel);
    world->channel = NULL;
}

static void vps_on_met(void *arg)
{
    struct world *world = arg;
    world->vps_met = true;
}

static const struct channel_events VPS_EVENTS = {.opened = vps_on_opened,
                                                 .received = vps_on_received,
                                                 .closed = vps_on_closed,
                                                 .met = vps_on_met};

/* "home" has KEY, and "office" the key that was paired. */
static int key_of(void *arg, int fd, const char *identity, unsigned nth,
                  uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    struct world *world = arg;
    (void)fd;
    if (nth == 0 && strcmp(identity, TLS_STRANGER) == 0) {
        memcpy(ret_key, TLS_STRANGER_KEY, CRYPTO_KEY_SIZE);
        return 0;
    }
    if (nth == 0 && strcmp(identity, "office") == 0 && !world->vps_forgets) {
        return accord_key(&world->accord, ret_key);
    }
    if (nth > 0 || strcmp(identity, "home") != 0) {
        return -ENOENT;
    }
    memcpy(ret_key, KEY, CRYPTO_KEY_SIZE);
    return 0;
}

/* Without a key: none yet. */
static struct credentials credentials_of(const char *name, const uint8_t *key)
{
    struct credentials credentials = {.source = key ? CREDENTIALS_SET : CREDENTIALS_NONE};
    snprintf(credentials.name, sizeof credentials.name, "%s", name);
    snprintf(credentials.folder, sizeof credentials.folder, "%s", folder);
    if (key) {
        memcpy(credentials.key, key, CRYPTO_KEY_SIZE);
    }
    return credentials;
}

static void world_open(struct world *world, const char *name, const uint8_t *key)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    memset(world, 0, sizeof *world);
    world->credentials = credentials_of(name, key);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->log_file = open_memstream(&world->log_text, &world->log_size);
    world->log = (struct log){.stream = world->log_file, .level = LOG_DEBUG};
    world->listener = net_listen("127.0.0.1", 0, 8);
    assert_int_equal(getsockname(world->listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(tls_config_server(key_of, world, &world->tls), 0);
    struct uplink_options options = {
        .log = &world->log,
        .vps_host = "127.0.0.1",
        .control_port = ntohs(at.sin_port),
        .credentials = &world->credentials,
        .keepalive_secs = 30,
        .program = "gateway-agent test",
        .events = &EVENTS,
        .arg = world,
    };
    assert_int_equal(uplink_new(&world->loop, &options, &world->uplink), 0);
}

static void world_close(struct world *world)
{
    uplink_free(world->uplink);
    channel_free(world->channel);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    tls_config_free(world->tls);
    close(world->listener);
    fclose(world->log_file);
    free(world->log_text);
}

static void turn(struct world *world)
{
    uv_run(&world->loop, UV_RUN_NOWAIT);
    usleep(200);
}

#define WAIT_FOR(world, condition)                                  \
    for (uint64_t end_ = clock_ms() + PATIENCE_MS; !(condition);) { \
        if (clock_ms() > end_) {                                    \
            fail_msg("waited in vain for %s", #condition);          \
        }                                                           \
        turn(world);                                                \
    }

static bool was_said(struct world *world, const char *text)
{
    fflush(world->log_file);
    return strstr(world->log_text, text) != NULL;
}

static void vps_accept(struct world *world)
{
    struct addr peer;
    int fd = -1;
    WAIT_FOR(world, (fd = net_accept(world->listener, &peer)) >= 0);
    struct channel_options options = {
        .self = SENDER_VPS, .program = "vps-agent test", .events = &VPS_EVENTS, .arg = world};
    assert_int_equal(channel_new(&world->loop, world->tls, fd, &options, &world->channel), 0);
}

static void vps_greet(struct world *world)
{
    vps_accept(world);
    WAIT_FOR(world, world->vps_open && was_said(world, "connected to the VPS"));
}

static void a_command_arrives_with_the_address_of_the_vps_and_is_answered(void **state)
{
    struct world world;
    struct message command = {.type = MESSAGE_CLOSE_TUNNEL, .close_tunnel.session = 77};
    struct message answer = {.type = MESSAGE_TUNNEL_READY,
                             .tunnel_ready = {.session = 77, .address = "10.0.0.1:22"}};
    struct addr loopback;
    (void)state;
    world_open(&world, "home", KEY);
    assert_int_equal(uplink_send(world.uplink, &answer), -ENOTCONN);
    vps_greet(&world);
    assert_string_equal(channel_peer_name(world.channel), "home");
    assert_string_equal(channel_peer_program(world.channel), "gateway-agent test");

    assert_int_equal(channel_send(world.channel, &command), 0);
    WAIT_FOR(&world, world.received == 1);
    assert_int_equal(world.last.close_tunnel.session, 77);
    addr_parse("127.0.0.1", 0, &loopback);
    assert_true(addr_same_host(&world.last_from, &loopback));
    assert_int_equal(uplink_send(world.uplink, &answer), 0);
    WAIT_FOR(&world, world.vps_received == 1);
    assert_string_equal(world.vps_last.tunnel_ready.address, "10.0.0.1:22");
    world_close(&world);
}

static void a_lost_connection_is_told_and_made_again(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", KEY);
    vps_greet(&world);
    channel_free(world.channel);
    world.channel = NULL;
    world.vps_open = false;
    WAIT_FOR(&world, world.lost == 1);
    assert_true(was_said(&world, "lost the connection to 127.0.0.1:"));
    assert_false(uplink_is_open(world.uplink));
    assert_int_equal(world.opened, 1);
    uint64_t since = clock_ms();
    vps_accept(&world);
    WAIT_FOR(&world, world.vps_open);
    assert_in_range(clock_ms() - since, 500, 2000);
    WAIT_FOR(&world, world.opened == 2);
    world_close(&world);
}

static void a_wrong_key_is_said_clearly(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", OTHER_KEY);
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "next try"));
    assert_true(was_said(&world, "does not accept our TUNNEL_KEY"));
    assert_int_equal(world.lost, 0);
    world_close(&world);
}

static void a_name_that_the_vps_does_not_know_is_said_too(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "away", KEY);
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "next try"));
    assert_true(was_said(&world, "does not know the gateway \"away\""));
    world_close(&world);
}

static void a_gateway_that_was_replaced_waits_a_minute(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", KEY);
    vps_greet(&world);
    channel_goodbye(world.channel, GOODBYE_REPLACED, "logged in again");
    WAIT_FOR(&world, world.lost == 1);
    assert_true(was_said(&world, "another gateway has logged in as \"home\""));
    assert_true(was_said(&world, "next try in 60.0 s"));
    world_close(&world);
}

static void the_same_trouble_is_said_once(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", KEY);
    close(world.listener);
    world.listener = -1;
    WAIT_FOR(&world, was_said(&world, "warn "));
    assert_true(was_said(&world, "cannot reach 127.0.0.1:"));
    char *second;
    WAIT_FOR(&world,
             was_said(&world, "cannot reach") &&
                 (second = strstr(strstr(world.log_text, "cannot reach") + 1, "cannot reach")));
    while (*second != '\n') {
        second--;
    }
    assert_non_null(strstr(second, "Z debug "));
    world_close(&world);
}

/* Lines of a level that have this in them. */
static unsigned count_lines(struct world *world, const char *level, const char *text)
{
    unsigned count = 0;
    fflush(world->log_file);
    for (const char *line = world->log_text; *line; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "\n");
        count += memmem(line, len, level, strlen(level)) && memmem(line, len, text, strlen(text));
    }
    return count;
}

/* It is lost, made again, and lost again: the operator reads that once in ten minutes. */
static void trouble_that_comes_and_goes_is_said_once(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", KEY);
    for (unsigned round = 1; round <= 2; round++) {
        vps_accept(&world);
        WAIT_FOR(&world, world.opened == round);
        channel_free(world.channel);
        world.channel = NULL;
        WAIT_FOR(&world, world.lost == round);
    }
    assert_int_equal(count_lines(&world, " warn ", "lost the connection"), 1);
    assert_int_equal(count_lines(&world, " debug ", "lost the connection"), 1);
    world_close(&world);
}

static void a_gateway_that_is_turned_away_waits_and_says_why(void **state)
{
    static const struct {
        enum goodbye_reason reason;
        const char *text;
    } ROWS[] = {{GOODBYE_FULL, "16 gateways are online with one key"},
                {GOODBYE_EXPIRED, "the join string expired"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world world;
        char line[100];
        world_open(&world, "home", KEY);
        vps_greet(&world);
        channel_goodbye(world.channel, ROWS[i].reason, ROWS[i].text);
        WAIT_FOR(&world, world.lost == 1);
        snprintf(line, sizeof line, "%s; next try in 60.0 s", ROWS[i].text);
        assert_true(was_said(&world, line));
        world_close(&world);
    }
}

static void somebody_else_at_the_port_is_no_vps(void **state)
{
    struct world world;
    struct addr peer;
    int fd = -1;
    (void)state;
    world_open(&world, "home", KEY);
    WAIT_FOR(&world, (fd = net_accept(world.listener, &peer)) >= 0);
    assert_true(write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) == 28);
    WAIT_FOR(&world, was_said(&world, "does not greet us like a vps-agent"));
    close(fd);
    world_close(&world);
}

static void a_gateway_that_stops_says_goodbye(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "home", KEY);
    vps_greet(&world);
    uplink_free(world.uplink);
    world.uplink = NULL;
    WAIT_FOR(&world, world.vps_closed == 1);
    assert_int_equal(world.vps_end, CHANNEL_END_GOODBYE);
    assert_int_equal(world.lost, 0);
    world_close(&world);
}

static void with_other_settings_it_leaves_and_comes_back(void **state)
{
    struct world world;
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    (void)state;
    world_open(&world, "away", OTHER_KEY);
    assert_int_equal(getsockname(world.listener, (struct sockaddr *)&at, &len), 0);
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "next try"));
    struct credentials home = credentials_of("home", KEY);
    struct uplink_options options = {
        .log = &world.log,
        .vps_host = "127.0.0.1",
        .control_port = ntohs(at.sin_port),
        .credentials = &home,
        .keepalive_secs = 30,
        .program = "gateway-agent test",
        .events = &EVENTS,
        .arg = &world,
    };
    uplink_move(world.uplink, &options);
    WAIT_FOR(&world, world.channel == NULL);
    vps_accept(&world);
    WAIT_FOR(&world, world.vps_open && world.opened == 1);
    assert_string_equal(channel_peer_name(world.channel), "home");
    assert_int_equal(world.lost, 0);

    /* An open connection is left with a word. */
    unsigned closed = world.vps_closed;
    uplink_move(world.uplink, &options);
    assert_int_equal(world.lost, 1);
    assert_false(uplink_is_open(world.uplink));
    WAIT_FOR(&world, world.vps_closed == closed + 1);
    assert_int_equal(world.vps_end, CHANNEL_END_GOODBYE);
    vps_accept(&world);
    WAIT_FOR(&world, world.opened == 2);
    world_close(&world);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* ---- pairing ----------------------------------------------------------------- */

static int key_of_an_old_vps(void *arg, int fd, const char *identity, unsigned nth,
                             uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    (void)fd;
    (void)arg;
    (void)identity;
    (void)nth;
    (void)ret_key;
    return -ENOENT;
}

static void vps_send(struct world *world, const struct message *message)
{
    assert_int_equal(channel_send(world->channel, message), 0);
}

/* A gateway without a key is met, and there is a code on both sides. */
static void vps_meet(struct world *world)
{
    struct message answer;
    unsigned before = world->vps_received;
    accord_wipe(&world->accord);
    vps_accept(world);
    WAIT_FOR(world, world->vps_received == before + 1);
    assert_true(world->vps_met);
    assert_int_equal(accord_answer(&world->accord, &world->vps_last.pair_commit, &answer), 0);
    vps_send(world, &answer);
    WAIT_FOR(world, world->vps_received == before + 2);
    assert_int_equal(accord_opened(&world->accord, &world->vps_last.pair_open), 0);
    WAIT_FOR(world, world->code[0]);
}

static void vps_let_in(struct world *world)
{
    struct message accept;
    unsigned before = world->vps_received;
    assert_int_equal(accord_accept(&world->accord, &accept), 0);
    vps_send(world, &accept);
    WAIT_FOR(world, world->vps_received == before + 1);
    assert_int_equal(accord_confirmed(&world->accord, &world->vps_last.pair_confirm), 0);
}

static bool there_is(const char *file)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

static void forget_all(void)
{
    static const char *const FILES[] = {"key", "key.new", "key.tmp"};
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
        unlink(path);
    }
}

static void without_a_key_it_is_paired_and_logs_in(void **state)
{
    struct world world;
    char code[ACCORD_CODE_MAX], line[100];
    (void)state;
    world_open(&world, "office", NULL);
    vps_meet(&world);
    assert_string_equal(accord_code(&world.accord, code), world.code);
    snprintf(line, sizeof line, "its code is %s. Let gateway office in", code);
    assert_true(was_said(&world, line));
    assert_false(uplink_is_open(world.uplink));
    vps_let_in(&world);
    assert_true(there_is("key.new"));
    assert_false(there_is("key"));
    channel_goodbye(world.channel, GOODBYE_PAIRED, "");
    channel_free(world.channel);
    WAIT_FOR(&world, !world.code[0]);
    vps_accept(&world);
    WAIT_FOR(&world, world.opened == 1 && world.vps_open);
    assert_string_equal(channel_peer_name(world.channel), "office");
    assert_true(there_is("key"));
    assert_false(there_is("key.new"));
    assert_int_equal(world.credentials.source, CREDENTIALS_PAIRED);
    world_close(&world);
    forget_all();
}

/* Its end of the connection breaks when the VPS has the key: that is as good. */
static void a_lost_word_at_the_end_costs_nothing(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "office", NULL);
    vps_meet(&world);
    vps_let_in(&world);
    channel_free(world.channel);
    vps_accept(&world);
    WAIT_FOR(&world, world.opened == 1);
    assert_true(there_is("key"));
    world_close(&world);
    forget_all();
}

/* It has kept the key, and the VPS has not: there is nothing that a person would have to mend. */
static void a_key_that_the_vps_never_kept_is_thrown_away(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "office", NULL);
    vps_meet(&world);
    vps_let_in(&world);
    world.vps_forgets = true;
    channel_free(world.channel);
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "does not know the key that this gateway was paired with"));
    assert_false(there_is("key.new"));
    assert_int_equal(world.credentials.source, CREDENTIALS_NONE);
    WAIT_FOR(&world, world.channel == NULL);
    world.vps_forgets = false;
    vps_meet(&world);
    vps_let_in(&world);
    channel_free(world.channel);
    vps_accept(&world);
    WAIT_FOR(&world, world.opened == 1);
    world_close(&world);
    forget_all();
}

/* One that was good once is for a person to throw away. */
static void a_key_that_was_removed_is_kept_and_said(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "office", KEY);
    world.credentials.source = CREDENTIALS_PAIRED;
    world.vps_forgets = true;
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "next try"));
    assert_true(was_said(&world, "does not accept the key of gateway \"office\" any more"));
    assert_true(was_said(&world, "pamctl gateway pair on the VPS"));
    assert_int_equal(world.credentials.source, CREDENTIALS_PAIRED);
    world_close(&world);
}

static void who_was_let_down_after_a_code_waits_a_minute(void **state)
{
    struct world world;
    struct message accept;
    (void)state;
    for (int round = 0; round < 3; round++) {
        world_open(&world, "office", NULL);
        vps_meet(&world);
        if (round == 0) {
            channel_goodbye(world.channel, GOODBYE_UNPAIRED, "an administrator said no");
            WAIT_FOR(&world, was_said(&world, "an administrator said no; next try in 60.0 s"));
        } else if (round == 1) {
            channel_free(world.channel);
            world.channel = NULL;
            WAIT_FOR(&world, was_said(&world, "not paired with 127.0.0.1:"));
            assert_true(was_said(&world, "next try in 60.0 s"));
        } else { /* somebody has swapped the proof */
            assert_int_equal(accord_accept(&world.accord, &accept), 0);
            accept.pair_accept.mac[7] ^= 1;
            vps_send(&world, &accept);
            WAIT_FOR(&world, was_said(&world, "somebody is in between; next try in 60.0 s"));
        }
        assert_string_equal(world.code, "");
        assert_false(there_is("key.new"));
        world_close(&world);
    }
}

static void who_is_turned_away_before_a_code_comes_again_soon(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "office", NULL);
    vps_accept(&world);
    WAIT_FOR(&world, world.vps_received == 1);
    channel_goodbye(world.channel, GOODBYE_UNPAIRED, "run pamctl gateway pair on the VPS");
    WAIT_FOR(&world, was_said(&world, "run pamctl gateway pair on the VPS; next try in 15.0 s"));
    world_close(&world);
}

static void a_key_that_cannot_be_kept_is_none(void **state)
{
    struct world world;
    struct message accept;
    (void)state;
    world_open(&world, "office", NULL);
    strcpy(world.credentials.folder, "/nonexistent");
    vps_meet(&world);
    assert_int_equal(accord_accept(&world.accord, &accept), 0);
    vps_send(&world, &accept);
    WAIT_FOR(&world, was_said(&world, "cannot keep the key in STATE_DIR /nonexistent"));
    assert_int_equal(world.vps_received, 2); /* it does not confirm */
    assert_int_equal(world.credentials.source, CREDENTIALS_NONE);
    world_close(&world);
}

static void a_vps_that_pairs_nobody_is_said_clearly(void **state)
{
    struct world world;
    (void)state;
    world_open(&world, "office", NULL);
    tls_config_free(world.tls);
    assert_int_equal(tls_config_server(key_of_an_old_vps, &world, &world.tls), 0);
    vps_accept(&world);
    WAIT_FOR(&world, was_said(&world, "does not pair gateways: it may be too old for that"));
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_arrives_with_the_address_of_the_vps_and_is_answered),
        cmocka_unit_test(a_lost_connection_is_told_and_made_again),
        cmocka_unit_test(a_wrong_key_is_said_clearly),
        cmocka_unit_test(a_name_that_the_vps_does_not_know_is_said_too),
        cmocka_unit_test(a_gateway_that_was_replaced_waits_a_minute),
        cmocka_unit_test(the_same_trouble_is_said_once),
        cmocka_unit_test(trouble_that_comes_and_goes_is_said_once),
        cmocka_unit_test(a_gateway_that_is_turned_away_waits_and_says_why),
        cmocka_unit_test(somebody_else_at_the_port_is_no_vps),
        cmocka_unit_test(a_gateway_that_stops_says_goodbye),
        cmocka_unit_test(with_other_settings_it_leaves_and_comes_back),
        cmocka_unit_test(without_a_key_it_is_paired_and_logs_in),
        cmocka_unit_test(a_lost_word_at_the_end_costs_nothing),
        cmocka_unit_test(a_key_that_the_vps_never_kept_is_thrown_away),
        cmocka_unit_test(a_key_that_was_removed_is_kept_and_said),
        cmocka_unit_test(who_was_let_down_after_a_code_waits_a_minute),
        cmocka_unit_test(who_is_turned_away_before_a_code_comes_again_soon),
        cmocka_unit_test(a_key_that_cannot_be_kept_is_none),
        cmocka_unit_test(a_vps_that_pairs_nobody_is_said_clearly),
    };
    return cmocka_run_group_tests_name("uplink", tests, make_folder, remove_folder);
}
