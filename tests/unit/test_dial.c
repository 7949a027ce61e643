/*
 * Connections to the first of several addresses. Three kinds of loopback stand
 * for the world: a listener, a port that nobody listens on (refused), a listener
 * whose queue is full (silent). No TCP goes to a multicast address (no route).
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
#include <sys/resource.h>
#include <uv.h>

#include "base/dial.h"
#include "base/resolve.h"
#include "on_loop.h"

struct world {
    uv_loop_t loop;
    int listener, full, filler;
    struct addr answers, silent, refuses, nowhere;
    struct dial *dial;
    uint64_t since;
    unsigned called;
    int fd;
    struct addr reached;
    uint64_t took_ms;
};

static void on_dialled(void *arg, int fd, const struct addr *addr)
{
    struct world *world = arg;
    world->called++;
    world->fd = fd;
    world->dial = NULL;
    world->took_ms = (uv_hrtime() - world->since) / 1000000;
    if (addr) {
        world->reached = *addr;
    }
    assert_int_equal(addr != NULL, fd >= 0);
}

static struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof *world);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->listener = net_listen("127.0.0.1", 0, RESOLVE_MAX);
    world->answers = address_of(world->listener);
    world->full = net_listen("127.0.0.1", 0, 0);
    world->silent = address_of(world->full);
    world->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(world->filler, &world->silent.sa, addr_len(&world->silent)), 0);
    int closed = net_listen("127.0.0.1", 0, 0);
    world->refuses = address_of(closed);
    close(closed);
    assert_int_equal(addr_parse("224.0.0.1", 9, &world->nowhere), 0);
    world->fd = -1;
    return world;
}

static void world_free(struct world *world)
{
    dial_cancel(world->dial);
    loop_end(&world->loop);
    if (world->fd >= 0) {
        close(world->fd);
    }
    close(world->listener);
    close(world->full);
    close(world->filler);
    free(world);
}

static void dial(struct world *world, const struct addr *addrs, unsigned count, uint64_t ms)
{
    world->since = uv_hrtime();
    world->dial = dial_start(&world->loop, addrs, count, ms, DIAL_PLAIN, on_dialled, world);
    assert_non_null(world->dial);
    assert_int_equal(world->called, 0); /* never from inside dial_start() */
}

static void the_address_that_answers_is_told(void **state)
{
    unsigned before = open_descriptors();
    struct world *world = world_new();
    (void)state;
    dial(world, &world->answers, 1, 1000);
    WAIT_FOR(&world->loop, world->called);
    assert_true(world->fd >= 0);
    assert_true(addr_same_host(&world->reached, &world->answers));
    assert_int_equal(addr_port(&world->reached), addr_port(&world->answers));
    world_free(world);
    assert_int_equal(open_descriptors(), before);
}

static void a_failure_moves_on_at_once_and_silence_after_a_blink(void **state)
{
    unsigned before = open_descriptors();
    struct world *world = world_new();
    (void)state;
    struct addr refused_first[] = {world->refuses, world->nowhere, world->answers};
    dial(world, refused_first, 3, 5000);
    WAIT_FOR(&world->loop, world->called);
    assert_int_equal(addr_port(&world->reached), addr_port(&world->answers));
    assert_in_range(world->took_ms, 0, 200);
    close(world->fd);

    world->called = 0;
    struct addr silent_first[] = {world->silent, world->answers, world->refuses};
    dial(world, silent_first, 3, 5000);
    WAIT_FOR(&world->loop, world->called);
    assert_int_equal(addr_port(&world->reached), addr_port(&world->answers));
    assert_in_range(world->took_ms, 245, 900);
    world_free(world);
    assert_int_equal(open_descriptors(), before); /* the silent one was closed, too */
}

static void the_failure_that_says_most_is_told(void **state)
{
    enum { ANSWERS, SILENT, REFUSES, NOWHERE };
    static const struct {
        int addrs[3];
        unsigned count;
        int err;
    } ROWS[] = {
        {{REFUSES}, 1, -ECONNREFUSED},
        {{NOWHERE}, 1, -ENETUNREACH},
        {{SILENT}, 1, -ETIMEDOUT},
        {{NOWHERE, REFUSES}, 2, -ECONNREFUSED},
        {{REFUSES, NOWHERE}, 2, -ECONNREFUSED},
        {{NOWHERE, NOWHERE, NOWHERE}, 3, -ENETUNREACH},
        {{REFUSES, SILENT}, 2, -ECONNREFUSED},
        /* A family without a route is not what went wrong. */
        {{NOWHERE, SILENT}, 2, -ETIMEDOUT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct world *world = world_new();
        const struct addr kinds[] = {world->answers, world->silent, world->refuses, world->nowhere};
        struct addr addrs[3];
        for (unsigned a = 0; a < ROWS[i].count; a++) {
            addrs[a] = kinds[ROWS[i].addrs[a]];
        }
        dial(world, addrs, ROWS[i].count, 50);
        WAIT_FOR(&world->loop, world->called);
        if (world->fd != ROWS[i].err) {
            fail_msg("row %zu: %s", i, strerror(-world->fd));
        }
        world_free(world);
    }
}

static void a_cancelled_dial_closes_everything_and_is_not_heard_of(void **state)
{
    unsigned before = open_descriptors();
    struct world *world = world_new();
    (void)state;
    struct addr addrs[] = {world->silent, world->silent, world->answers};
    dial(world, addrs, 3, 5000);
    loop_run_for(&world->loop, 10);
    assert_int_equal(world->called, 0);
    dial_cancel(world->dial);
    dial(world, &world->answers, 1, 5000);
    dial_cancel(world->dial); /* before its first turn */
    world->dial = NULL;
    loop_run_for(&world->loop, 10);
    assert_int_equal(world->called, 0);
    dial_cancel(NULL);
    world_free(world);
    assert_int_equal(open_descriptors(), before);
}

static void without_descriptors_it_fails_and_says_so(void **state)
{
    struct world *world = world_new();
    struct rlimit limit, none;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dial(world, &world->answers, 1, 5000);
    loop_run_for(&world->loop, 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    WAIT_FOR(&world->loop, world->called);
    assert_int_equal(world->fd, -EMFILE);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_address_that_answers_is_told),
        cmocka_unit_test(a_failure_moves_on_at_once_and_silence_after_a_blink),
        cmocka_unit_test(the_failure_that_says_most_is_told),
        cmocka_unit_test(a_cancelled_dial_closes_everything_and_is_not_heard_of),
        cmocka_unit_test(without_descriptors_it_fails_and_says_so),
    };
    return cmocka_run_group_tests_name("dial", tests, loop_first, NULL);
}
