/* Deadlines on the event loop. */
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
#include "on_loop.h"

struct bell {
    uv_loop_t loop;
    struct timer *timer, *other;
    unsigned rung, other_rung;
};

static void ring(void *arg)
{
    struct bell *bell = arg;
    bell->rung++;
}

static void ring_other(void *arg)
{
    struct bell *bell = arg;
    bell->other_rung++;
}

static void free_both(void *arg)
{
    struct bell *bell = arg;
    bell->rung++;
    timer_free(bell->timer);
    timer_free(bell->other);
}

static void set_again(void *arg)
{
    struct bell *bell = arg;
    if (++bell->rung < 3) {
        timer_set(bell->timer, 1);
    }
}

static struct bell *bell_new(timer_fn fn)
{
    struct bell *bell = calloc(1, sizeof *bell);
    assert_int_equal(uv_loop_init(&bell->loop), 0);
    bell->timer = timer_new(&bell->loop, fn, bell);
    bell->other = timer_new(&bell->loop, ring_other, bell);
    assert_true(bell->timer && bell->other);
    return bell;
}

static void bell_free(struct bell *bell)
{
    loop_end(&bell->loop);
    free(bell);
}

static void a_timer_fires_once_and_not_early(void **state)
{
    struct bell *bell = bell_new(ring);
    (void)state;
    uint64_t since = uv_hrtime();
    timer_set(bell->timer, 20);
    WAIT_FOR(&bell->loop, bell->rung == 1);
    assert_true(uv_hrtime() - since >= 19 * 1000000); /* the loop counts whole milliseconds */
    loop_run_for(&bell->loop, 30);
    assert_int_equal(bell->rung, 1);
    timer_free(bell->timer);
    timer_free(bell->other);
    bell_free(bell);
}

static void a_new_timer_sleeps_and_a_stopped_one_does_too(void **state)
{
    struct bell *bell = bell_new(ring);
    (void)state;
    timer_set(bell->other, 1);
    timer_stop(bell->other);
    timer_stop(bell->other);
    loop_run_for(&bell->loop, 10);
    assert_int_equal(bell->rung + bell->other_rung, 0);
    timer_free(bell->timer);
    timer_free(bell->other);
    bell_free(bell);
}

static void a_later_setting_replaces_the_one_before(void **state)
{
    struct bell *bell = bell_new(ring);
    (void)state;
    timer_set(bell->timer, 100000);
    timer_set(bell->timer, 0);
    WAIT_FOR(&bell->loop, bell->rung == 1);
    timer_set(bell->timer, 0);
    timer_set(bell->timer, 100000);
    loop_run_for(&bell->loop, 5);
    assert_int_equal(bell->rung, 1);
    timer_free(bell->timer);
    timer_free(bell->other);
    bell_free(bell);
}

static void time_spent_before_setting_does_not_count(void **state)
{
    struct bell *bell = bell_new(ring);
    (void)state;
    uv_update_time(&bell->loop);
    for (uint64_t since = uv_hrtime(); uv_hrtime() - since < 30 * 1000000;) {
        /* busy, as a slow callback would be */
    }
    uint64_t since = uv_hrtime();
    timer_set(bell->timer, 20);
    WAIT_FOR(&bell->loop, bell->rung == 1);
    assert_true(uv_hrtime() - since >= 19 * 1000000);
    timer_free(bell->timer);
    timer_free(bell->other);
    bell_free(bell);
}

static void a_timer_may_free_itself_and_another_that_is_due(void **state)
{
    struct bell *bell = bell_new(free_both);
    (void)state;
    timer_set(bell->timer, 0);
    timer_set(bell->other, 0); /* in the same turn, right behind */
    WAIT_FOR(&bell->loop, bell->rung == 1);
    loop_run_for(&bell->loop, 5);
    assert_int_equal(bell->other_rung, 0);
    bell_free(bell);
}

static void a_timer_may_be_set_in_its_own_callback(void **state)
{
    struct bell *bell = bell_new(set_again);
    (void)state;
    timer_set(bell->timer, 1);
    WAIT_FOR(&bell->loop, bell->rung == 3);
    timer_free(bell->timer);
    timer_free(bell->other);
    timer_free(NULL);
    bell_free(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_not_early),
        cmocka_unit_test(a_new_timer_sleeps_and_a_stopped_one_does_too),
        cmocka_unit_test(a_later_setting_replaces_the_one_before),
        cmocka_unit_test(time_spent_before_setting_does_not_count),
        cmocka_unit_test(a_timer_may_free_itself_and_another_that_is_due),
        cmocka_unit_test(a_timer_may_be_set_in_its_own_callback),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
