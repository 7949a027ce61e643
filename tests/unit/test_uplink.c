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
#include "control/channel.h"
#include "gateway/uplink.h"

enum { PATIENCE_MS = 8000 };

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
    unsigned received, opened, lost;
    struct message last;
    struct addr last_from;

    /* The VPS. */
    struct tls_config *tls;
    struct channel *channel;
    bool vps_open;
    enum channel_end vps_end;
    struct message vps_last;
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

static const struct uplink_events EVENTS = {
    .received = on_received, .opened = on_opened, .lost = on_lost};

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
    world->vps_open = false;
    channel_free(world->channel);
    world->channel = NULL;
}

static const struct channel_events VPS_EVENTS = {
    .opened = vps_on_opened, .received = vps_on_received, .closed = vps_on_closed};

static int key_of(void *arg, const char *identity, unsigned nth, uint8_t ret_key[CRYPTO_KEY_SIZE])
{
    (void)arg;
    if (nth > 0 || strcmp(identity, "home") != 0) {
        return -ENOENT;
    }
    memcpy(ret_key, KEY, CRYPTO_KEY_SIZE);
    return 0;
}

static void world_open(struct world *world, const char *name, const uint8_t *key)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    memset(world, 0, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->log_file = open_memstream(&world->log_text, &world->log_size);
    world->log = (struct log){.stream = world->log_file, .level = LOG_DEBUG};
    world->listener = net_listen("127.0.0.1", 0, 8);
    assert_int_equal(getsockname(world->listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(tls_config_server(key_of, NULL, &world->tls), 0);
    struct uplink_options options = {
        .log = &world->log,
        .vps_host = "127.0.0.1",
        .control_port = ntohs(at.sin_port),
        .gateway_name = name,
        .key = key,
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
    struct message answer = {.type = MESSAGE_TUNNEL_READY, .tunnel_ready = {77, 0, "10.0.0.1:22"}};
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
    struct uplink_options options = {
        .log = &world.log,
        .vps_host = "127.0.0.1",
        .control_port = ntohs(at.sin_port),
        .gateway_name = "home",
        .key = KEY,
        .keepalive_secs = 30,
        .program = "gateway-agent test",
        .events = &EVENTS,
        .arg = &world,
    };
    assert_int_equal(uplink_move(world.uplink, &options), 0);
    WAIT_FOR(&world, world.channel == NULL);
    vps_accept(&world);
    WAIT_FOR(&world, world.vps_open && world.opened == 1);
    assert_string_equal(channel_peer_name(world.channel), "home");
    assert_int_equal(world.lost, 0);

    /* An open connection is left with a word. */
    unsigned closed = world.vps_closed;
    assert_int_equal(uplink_move(world.uplink, &options), 0);
    assert_int_equal(world.lost, 1);
    assert_false(uplink_is_open(world.uplink));
    WAIT_FOR(&world, world.vps_closed == closed + 1);
    assert_int_equal(world.vps_end, CHANNEL_END_GOODBYE);
    vps_accept(&world);
    WAIT_FOR(&world, world.opened == 2);
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
    };
    return cmocka_run_group_tests_name("uplink", tests, NULL, NULL);
}
