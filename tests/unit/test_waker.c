/* Waking machines, on a real event loop and real sockets, fifty times as fast. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/clock.h"
#include "base/net.h"
#include "base/timer.h"
#include "gateway/failure.h"
#include "gateway/magic.h"
#include "gateway/names/lan_search.h"
#include "gateway/waker.h"
#include "on_loop.h"

enum { FASTER = 50, NUMBER = 7001, ANSWERS_MAX = 32 };

static const uint8_t MAC[MAC_SIZE] = {2, 0, 0, 0, 0, 7};

/* ---- time, names and the network ----------------------------------------------- */

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);
void __real_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
int __wrap_magic_send(const uint8_t mac[MAC_SIZE]);
struct resolve *__real_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);
struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg);

static struct world {
    uv_loop_t loop;
    struct log log;
    struct sieve *lines;
    struct targets *allowed;
    struct resolver *resolver;
    struct lan_searches *searches;
    struct reachable *reachable;
    struct waker *waker;
    struct message answers[ANSWERS_MAX];
    unsigned count;
    unsigned packets;
    uint64_t packet_ms[8];
    bool has_name; /* HOME-PC resolves */
    unsigned look_ups;
    int target;
    uint16_t port;
} world;

uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() * FASTER;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    __real_timer_set(timer, ms / FASTER);
}

int __wrap_magic_send(const uint8_t mac[MAC_SIZE])
{
    assert_memory_equal(mac, MAC, MAC_SIZE);
    assert_true(world.packets < 8);
    world.packet_ms[world.packets++] = clock_ms();
    return 1;
}

struct resolve *__wrap_resolve_start(struct resolver *resolver, const char *host, uint16_t port,
                                     uint64_t timeout_ms, resolve_fn fn, void *arg)
{
    world.look_ups++;
    if (strcmp(host, "HOME-PC") == 0) {
        host = world.has_name ? "127.0.0.1" : "no-such-name.invalid";
    }
    return __real_resolve_start(resolver, host, port, timeout_ms, fn, arg);
}

/* ---- the world -------------------------------------------------------------------- */

static void on_answer(void *arg, const struct message *message)
{
    (void)arg;
    assert_true(world.count < ANSWERS_MAX);
    world.answers[world.count++] = *message;
}

/* A port at which nobody listens yet. */
static void take_port(void)
{
    struct addr own;
    world.target = net_listen("127.0.0.1", 0, 8);
    assert_true(world.target >= 0);
    assert_int_equal(net_own_end(world.target, &own), 0);
    world.port = addr_port(&own);
}

static void open_world(const char *allowed)
{
    char list[64];
    world = (struct world){.log = {.stream = stderr, .level = LOG_ERROR}, .target = -1};
    take_port();
    snprintf(list, sizeof list, "%s:%u", allowed, world.port);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    assert_int_equal(targets_parse(list, &world.allowed, NULL), 0);
    world.lines = sieve_new(&world.loop, &world.log, SIEVE_BURST, SIEVE_REFILL_MS);
    world.resolver = resolver_new(&world.loop, 32);
    world.searches = lan_searches_new(&world.loop);
    world.reachable = reachable_new();
    const struct waker_options options = {.loop = &world.loop,
                                          .lines = world.lines,
                                          .allowed = world.allowed,
                                          .resolver = world.resolver,
                                          .searches = world.searches,
                                          .reachable = world.reachable,
                                          .send = on_answer};
    world.waker = waker_new(&options);
    assert_non_null(world.waker);
}

static void close_world(void)
{
    waker_free(world.waker);
    resolver_free(world.resolver);
    lan_searches_free(world.searches);
    reachable_free(world.reachable);
    sieve_free(world.lines);
    targets_free(world.allowed);
    if (world.target >= 0) {
        close(world.target);
    }
    loop_end(&world.loop);
}

static void sleep_now(void)
{
    close(world.target);
    world.target = -1;
}

static void awake_now(void)
{
    world.target = net_listen("127.0.0.1", world.port, 8);
    assert_true(world.target >= 0);
}

static void run_for(uint64_t ms)
{
    for (uint64_t end = clock_ms() + ms; clock_ms() < end;) {
        uv_run(&world.loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

static void run_until_answered(unsigned count)
{
    for (uint64_t end = clock_ms() + 400 * 1000; world.count < count;) {
        assert_true(clock_ms() < end);
        uv_run(&world.loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

static struct message_wake to_wake(const char *host, uint16_t patience_s)
{
    struct message_wake command = {
        .session = NUMBER, .port = world.port, .patience_secs = patience_s};
    memcpy(command.mac, MAC, MAC_SIZE);
    snprintf(command.host, sizeof command.host, "%s", host);
    return command;
}

static void wake(const char *host, uint16_t patience_s)
{
    const struct message_wake command = to_wake(host, patience_s);
    waker_wake(world.waker, &command);
}

static void assert_failed(unsigned at, enum tunnel_failure reason)
{
    run_until_answered(at + 1);
    assert_int_equal(world.answers[at].type, MESSAGE_TUNNEL_FAILED);
    assert_int_equal(world.answers[at].tunnel_failed.channel, 0);
    assert_int_equal(world.answers[at].tunnel_failed.reason, reason);
}

static void assert_awake(void)
{
    run_until_answered(1);
    assert_int_equal(world.answers[0].type, MESSAGE_AWAKE);
    assert_true(world.answers[0].awake.session == NUMBER);
    assert_non_null(strstr(world.answers[0].awake.address, "127.0.0.1:"));
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_it_is_tried_until_it_answers(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    sleep_now();
    wake("127.0.0.1", 120);
    run_for(6000);
    assert_int_equal(world.count, 0);
    assert_int_equal(world.packets, 3);
    assert_in_range(world.packet_ms[1] - world.packet_ms[0], 800, 1800);
    assert_in_range(world.packet_ms[2] - world.packet_ms[0], 2700, 4500);
    awake_now();
    assert_awake();
    run_for(10000);
    assert_int_equal(world.count, 1);
    assert_int_equal(world.packets, 3);
    /* What is asked for next needs no probe. */
    struct addr addr;
    assert_int_equal(addr_parse("127.0.0.1", world.port, &addr), 0);
    assert_true(reachable_lately(world.reachable, &addr));
    close_world();
}

/* That it answered a minute ago says nothing: it was sent to sleep since. */
static void test_what_answered_lately_is_tried(void **state)
{
    struct addr addr;
    (void)state;
    open_world("127.0.0.0/8");
    assert_int_equal(addr_parse("127.0.0.1", world.port, &addr), 0);
    reachable_note(world.reachable, &addr);
    sleep_now();
    wake("127.0.0.1", 5);
    assert_failed(0, TUNNEL_REFUSED);
    close_world();
}

static void test_who_refuses_for_long_is_awake(void **state)
{
    uint64_t began_ms = clock_ms();
    (void)state;
    open_world("127.0.0.0/8");
    sleep_now();
    wake("127.0.0.1", 300);
    assert_failed(0, TUNNEL_REFUSED);
    assert_in_range(clock_ms() - began_ms, WAKE_REFUSALS_S * 1000, WAKE_REFUSALS_S * 1000 + 15000);
    close_world();
}

static void test_a_name_may_be_gone_while_it_sleeps(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    wake("HOME-PC", 300);
    run_for(5000);
    assert_int_equal(world.count, 0);
    assert_int_equal(world.packets, 3);
    assert_true(world.look_ups > 1);
    world.has_name = true;
    assert_awake();
    close_world();
}

static void test_a_name_that_stays_unknown(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    wake("HOME-PC", 10);
    run_until_answered(1);
    /* The second one where no name server answers. */
    assert_true(world.answers[0].tunnel_failed.reason == TUNNEL_UNKNOWN_NAME ||
                world.answers[0].tunnel_failed.reason == TUNNEL_NAME_SERVERS);
    close_world();
}

static void test_what_is_not_allowed_is_sent_no_packet(void **state)
{
    (void)state;
    open_world("192.0.2.0/24");
    world.has_name = true;
    wake("HOME-PC", 10);
    assert_failed(0, TUNNEL_NOT_ALLOWED);
    wake("127.0.0.1", 10);
    assert_failed(1, TUNNEL_NOT_ALLOWED);
    struct message_wake other_port = to_wake("192.0.2.7", 10);
    other_port.port = 1;
    waker_wake(world.waker, &other_port);
    assert_failed(2, TUNNEL_NOT_ALLOWED);
    /* Whatever the name stands for, when it can be looked up again. */
    world.has_name = false;
    struct message_wake unknown = to_wake("HOME-PC", 10);
    unknown.port = 1;
    waker_wake(world.waker, &unknown);
    assert_failed(3, TUNNEL_NOT_ALLOWED);
    assert_int_equal(world.packets, 0);
    close_world();
}

static void test_what_is_no_command(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    struct message_wake wrong[6];
    for (unsigned i = 0; i < 6; i++) {
        wrong[i] = to_wake("127.0.0.1", 10);
    }
    wrong[0].host[0] = '\0';
    wrong[1].port = 0;
    memset(wrong[2].mac, 0, MAC_SIZE);
    memset(wrong[3].mac, 0xff, MAC_SIZE);
    wrong[4].patience_secs = 0;
    wrong[5].patience_secs = WAKE_PATIENCE_MAX_S + 1;
    for (unsigned i = 0; i < 6; i++) {
        waker_wake(world.waker, &wrong[i]);
        assert_failed(i, TUNNEL_ERROR);
    }
    wake("127.0.0.1", 10);
    wake("127.0.0.1", 10); /* of the same number */
    assert_failed(6, TUNNEL_ERROR);
    close_world();
}

static void test_there_are_few_at_once_and_few_in_a_time(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    sleep_now();
    for (unsigned i = 0; i <= WAKES_MAX; i++) {
        struct message_wake command = to_wake("127.0.0.1", 300);
        command.session = NUMBER + i;
        waker_wake(world.waker, &command);
    }
    assert_failed(0, TUNNEL_BUSY);
    assert_int_equal(world.count, 1);
    waker_close_all(world.waker);
    for (unsigned i = WAKES_MAX; i < WAKES_BURST; i++) {
        wake("127.0.0.1", 300);
        waker_close(world.waker, NUMBER);
    }
    assert_int_equal(world.count, 1);
    wake("127.0.0.1", 300);
    assert_failed(1, TUNNEL_BUSY);
    close_world();
}

static void test_one_that_nobody_wants_any_more(void **state)
{
    (void)state;
    open_world("127.0.0.0/8");
    sleep_now();
    wake("127.0.0.1", 10);
    run_for(500);
    unsigned packets = world.packets;
    assert_in_range(packets, 1, 2);
    waker_close(world.waker, NUMBER + 1); /* another one */
    waker_close(world.waker, NUMBER);
    run_for(15000);
    assert_int_equal(world.packets, packets);
    assert_int_equal(world.count, 0);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_tried_until_it_answers),
        cmocka_unit_test(test_what_answered_lately_is_tried),
        cmocka_unit_test(test_who_refuses_for_long_is_awake),
        cmocka_unit_test(test_a_name_may_be_gone_while_it_sleeps),
        cmocka_unit_test(test_a_name_that_stays_unknown),
        cmocka_unit_test(test_what_is_not_allowed_is_sent_no_packet),
        cmocka_unit_test(test_what_is_no_command),
        cmocka_unit_test(test_there_are_few_at_once_and_few_in_a_time),
        cmocka_unit_test(test_one_that_nobody_wants_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
