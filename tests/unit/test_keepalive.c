/*
 * The proof of life, with a time of the test's own: timers go off when it says so. What it
 * does on a real channel is in test_channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/timer.h"
#include "control/keepalive.h"

enum { INTERVAL_MS = 30000 };

/* ---- time ------------------------------------------------------------------- */

struct timer {
    timer_fn fn;
    void *arg;
    uint64_t at; /* 0: it does not run */
};

static struct timer timers[2];
static unsigned timer_count;
static uint64_t now_ms;

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_us(void);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_free(struct timer *timer);

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

uint64_t __wrap_clock_us(void)
{
    return now_ms * 1000;
}

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    assert_in_range(timer_count, 0, 1);
    timers[timer_count] = (struct timer){fn, arg, 0};
    return &timers[timer_count++];
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    timer->at = now_ms + ms;
}

void __wrap_timer_free(struct timer *timer)
{
    if (timer) {
        timer->at = 0;
    }
}

static void pass(uint64_t ms)
{
    for (uint64_t end = now_ms + ms; now_ms < end; now_ms++) {
        for (unsigned i = 0; i < timer_count; i++) {
            if (timers[i].at && timers[i].at <= now_ms) {
                timers[i].at = 0;
                timers[i].fn(timers[i].arg);
            }
        }
    }
}

/* ---- the owner -------------------------------------------------------------- */

struct owner {
    struct keepalive *keepalive;
    unsigned pings;
    uint64_t sent_us; /* in the last one */
    const char *dead;
};

static void on_ping(void *arg, uint64_t sent_us)
{
    struct owner *owner = arg;
    owner->pings++;
    owner->sent_us = sent_us;
}

static void on_dead(void *arg, const char *why)
{
    struct owner *owner = arg;
    owner->dead = why;
    keepalive_free(owner->keepalive);
    owner->keepalive = NULL;
}

static void begin(struct owner *owner)
{
    *owner = (struct owner){0};
    timer_count = 0;
    now_ms = 1000000;
    owner->keepalive = keepalive_new(NULL, (struct keepalive_events){on_ping, on_dead, owner});
    assert_non_null(owner->keepalive);
    keepalive_begin(owner->keepalive, INTERVAL_MS);
}

static void end(struct owner *owner)
{
    keepalive_free(owner->keepalive);
}

/* ---- the tests -------------------------------------------------------------- */

static void two_unanswered_pings_are_the_end_when_the_third_is_due(void **state)
{
    struct owner owner;
    (void)state;
    begin(&owner);
    pass(3 * INTERVAL_MS - 10);
    assert_int_equal(owner.pings, 2);
    assert_null(owner.dead);
    keepalive_heard(owner.keepalive); /* that something comes is no answer */
    pass(20);
    assert_string_equal(owner.dead, "two pings went unanswered");
    assert_int_equal(owner.pings, 2);
}

static void an_answer_counts_for_all_before_it_and_gives_the_round_trip(void **state)
{
    struct owner owner;
    (void)state;
    begin(&owner);
    assert_int_equal(keepalive_rtt_us(owner.keepalive), 0);
    for (unsigned i = 1; i <= 10; i++) {
        pass(2 * INTERVAL_MS);
        now_ms += 7;
        keepalive_answered(owner.keepalive, owner.sent_us);
        assert_true(keepalive_rtt_us(owner.keepalive) >= 7000);
    }
    assert_null(owner.dead);
    uint64_t rtt_us = keepalive_rtt_us(owner.keepalive);
    keepalive_answered(owner.keepalive, UINT64_MAX); /* from the future: nobody asked so */
    assert_true(keepalive_rtt_us(owner.keepalive) == rtt_us);
    end(&owner);
}

static void who_is_pressed_is_asked_at_once_and_dead_within_seconds(void **state)
{
    struct owner owner;
    (void)state;
    begin(&owner);
    keepalive_press(owner.keepalive);
    keepalive_press(owner.keepalive); /* changes nothing */
    assert_int_equal(owner.pings, 1);
    pass(KEEPALIVE_PRESSED_MS - 1);
    assert_null(owner.dead);
    pass(100);
    assert_string_equal(owner.dead, "a ping that could not wait went unanswered");
}

static void who_was_heard_a_moment_ago_is_asked_a_second_later(void **state)
{
    struct owner owner;
    (void)state;
    begin(&owner);
    keepalive_heard(owner.keepalive);
    keepalive_press(owner.keepalive);
    pass(999);
    assert_int_equal(owner.pings, 0);
    pass(2);
    assert_int_equal(owner.pings, 1);
    keepalive_heard(owner.keepalive);
    pass(KEEPALIVE_PRESSED_MS + 100);
    assert_null(owner.dead);
    assert_int_equal(owner.pings, 1);
    end(&owner);
}

static void whatever_comes_releases_who_is_pressed(void **state)
{
    struct owner owner;
    (void)state;
    begin(&owner);
    for (unsigned i = 1; i <= 3; i++) {
        keepalive_press(owner.keepalive);
        assert_int_equal(owner.pings, i);
        pass(KEEPALIVE_PRESSED_MS - 10);
        keepalive_heard(owner.keepalive);
        pass(2000);
        assert_null(owner.dead);
    }
    end(&owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_unanswered_pings_are_the_end_when_the_third_is_due),
        cmocka_unit_test(an_answer_counts_for_all_before_it_and_gives_the_round_trip),
        cmocka_unit_test(who_is_pressed_is_asked_at_once_and_dead_within_seconds),
        cmocka_unit_test(who_was_heard_a_moment_ago_is_asked_a_second_later),
        cmocka_unit_test(whatever_comes_releases_who_is_pressed),
    };
    return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
