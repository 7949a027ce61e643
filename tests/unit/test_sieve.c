/* Lines that others can cause, with the test's own time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sieve.h"
#include "base/timer.h"

static uint64_t now_ms;
static struct timer {
    timer_fn fn;
    void *arg;
    uint64_t at_ms; /* 0: stopped */
} the_timer;

uint64_t __wrap_clock_ms(void);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_free(struct timer *timer);

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    the_timer = (struct timer){.fn = fn, .arg = arg};
    return &the_timer;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    timer->at_ms = now_ms + ms;
}

void __wrap_timer_free(struct timer *timer)
{
    timer->at_ms = 0;
}

static void advance(uint64_t ms)
{
    for (uint64_t end = now_ms + ms; now_ms < end;) {
        bool rings = the_timer.at_ms && the_timer.at_ms <= end;
        now_ms = rings ? the_timer.at_ms : end;
        if (rings) {
            the_timer.at_ms = 0;
            the_timer.fn(the_timer.arg);
        }
    }
}

struct desk {
    struct log log;
    char *text;
    size_t size;
    struct sieve *sieve;
};

static struct desk *desk_open(void)
{
    static struct desk desk;
    now_ms = 5000000;
    desk.log = (struct log){.stream = open_memstream(&desk.text, &desk.size), .level = LOG_INFO};
    assert_non_null(desk.log.stream);
    desk.sieve = sieve_new(NULL, &desk.log, SIEVE_BURST, SIEVE_REFILL_MS);
    assert_non_null(desk.sieve);
    return &desk;
}

static void desk_close(struct desk *desk)
{
    sieve_free(desk->sieve);
    fclose(desk->log.stream);
    free(desk->text);
}

static unsigned lines_with(const struct desk *desk, const char *words)
{
    unsigned count = 0;
    fflush(desk->log.stream);
    for (const char *at = desk->text; at && (at = strstr(at, words)); at += strlen(words)) {
        count++;
    }
    return count;
}

static void flood(struct desk *desk, const char *cause, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sieve_log(desk->sieve, cause, LOG_WARN, "%s: line %u", cause, i);
    }
}

static void a_burst_passes_and_the_rest_is_counted_at_the_end(void **state)
{
    struct desk *desk = desk_open();
    (void)state;
    flood(desk, "a", 60000);
    assert_int_equal(lines_with(desk, "\n"), SIEVE_BURST);
    advance(SIEVE_QUIET_MS - 1);
    assert_int_equal(lines_with(desk, "\n"), SIEVE_BURST);
    advance(1);
    assert_int_equal(lines_with(desk, "warn  a: 59995 more lines not shown\n"), 1);
    advance(10 * SIEVE_QUIET_MS);
    assert_int_equal(lines_with(desk, "\n"), SIEVE_BURST + 1);
    assert_int_equal(the_timer.at_ms, 0);
    desk_close(desk);
}

static void trouble_that_comes_and_goes_is_few_lines(void **state)
{
    enum { HOURS = 24, EACH_MS = 5000 };
    struct desk *desk = desk_open();
    (void)state;
    for (unsigned i = 0; i < HOURS * 3600000 / EACH_MS; i++) {
        flood(desk, "a", 1);
        advance(EACH_MS);
    }
    unsigned most = SIEVE_BURST + 2 * HOURS * 3600000 / SIEVE_REFILL_MS;
    assert_in_range(lines_with(desk, "\n"), HOURS, most);
    desk_close(desk);
}

static void one_cause_does_not_hide_another(void **state)
{
    struct desk *desk = desk_open();
    (void)state;
    flood(desk, "a", 1000);
    flood(desk, "b", 1);
    assert_int_equal(lines_with(desk, "b: line 0\n"), 1);
    advance(SIEVE_REFILL_MS);
    flood(desk, "a", 2);
    assert_int_equal(lines_with(desk, "a: 995 more lines not shown\n"), 1);
    assert_int_equal(lines_with(desk, "a: line 0\n"), 2);
    desk_close(desk);
}

static void who_goes_on_is_counted_with_its_next_line(void **state)
{
    struct desk *desk = desk_open();
    (void)state;
    flood(desk, "a", 20);
    advance(SIEVE_REFILL_MS / 2);
    flood(desk, "a", 1);
    advance(SIEVE_REFILL_MS / 2);
    flood(desk, "a", 1);
    assert_int_equal(lines_with(desk, "a: line 0 (16 more like this not shown)\n"), 1);
    assert_int_equal(lines_with(desk, "\n"), SIEVE_BURST + 1);
    desk_close(desk);
}

static void who_comes_after_the_noisy_ones_is_named(void **state)
{
    struct desk *desk = desk_open();
    char cause[20];
    (void)state;
    for (unsigned i = 0; i < SIEVE_ALL - 1; i++) {
        snprintf(cause, sizeof cause, "user %u", i);
        flood(desk, cause, 1000);
    }
    flood(desk, "user 42", 1);
    assert_int_equal(lines_with(desk, "user 42: line 0\n"), 1);
    flood(desk, "user 42", SIEVE_BURST - 1); /* that was all of what all have together */
    flood(desk, "user 43", 1);
    assert_int_equal(lines_with(desk, "user 43"), 0);
    advance(SIEVE_QUIET_MS);
    assert_int_equal(lines_with(desk, "user 43: 1 more line not shown\n"), 1);
    desk_close(desk);
}

static void a_sieve_has_the_rate_that_its_owner_wants(void **state)
{
    enum { MINUTES_10 = 600000 };
    struct desk *desk = desk_open();
    (void)state;
    sieve_free(desk->sieve);
    desk->sieve = sieve_new(NULL, &desk->log, 1, MINUTES_10);
    assert_non_null(desk->sieve);
    flood(desk, "a", 3);
    assert_int_equal(lines_with(desk, "\n"), 1);
    advance(MINUTES_10 - 1);
    assert_int_equal(lines_with(desk, "\n"), 1); /* to count is a line, too */
    advance(1);
    assert_int_equal(lines_with(desk, "a: 2 more lines not shown\n"), 1);
    flood(desk, "a", 1);
    assert_int_equal(lines_with(desk, "a: line 0\n"), 2);
    desk_close(desk);
}

static void many_causes_are_no_way_to_many_lines(void **state)
{
    struct desk *desk = desk_open();
    char cause[100];
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(cause, sizeof cause, "from %080u", i); /* also alike where they are cut off */
        flood(desk, cause, 1);
        snprintf(cause, sizeof cause, "from %u", i);
        flood(desk, cause, 3);
    }
    assert_int_equal(lines_with(desk, "\n"), SIEVE_ALL * SIEVE_BURST);
    advance(SIEVE_QUIET_MS);
    assert_int_equal(lines_with(desk, "more lines of many causes not shown\n"), 1);
    assert_in_range(lines_with(desk, "\n"), SIEVE_ALL * SIEVE_BURST + 1,
                    SIEVE_ALL * SIEVE_BURST + 1 + SIEVE_CAUSES_MAX);
    desk_close(desk);
}

static void what_is_held_back_is_said_before_it_goes(void **state)
{
    struct desk *desk = desk_open();
    (void)state;
    flood(desk, "a", SIEVE_BURST + 1);
    assert_false(sieve_log(desk->sieve, "a", LOG_DEBUG, "nobody wants this"));
    sieve_free(desk->sieve);
    assert_int_equal(lines_with(desk, "a: 1 more line not shown\n"), 1);
    desk->sieve = NULL;
    desk_close(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_the_rest_is_counted_at_the_end),
        cmocka_unit_test(trouble_that_comes_and_goes_is_few_lines),
        cmocka_unit_test(one_cause_does_not_hide_another),
        cmocka_unit_test(who_goes_on_is_counted_with_its_next_line),
        cmocka_unit_test(who_comes_after_the_noisy_ones_is_named),
        cmocka_unit_test(a_sieve_has_the_rate_that_its_owner_wants),
        cmocka_unit_test(many_causes_are_no_way_to_many_lines),
        cmocka_unit_test(what_is_held_back_is_said_before_it_goes),
    };
    return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
