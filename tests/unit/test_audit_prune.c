/* When records are removed, and which: AUDIT_DAYS may be another one while that goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vps/audit/audit_core.h"

enum { NOW_S = 1800000000, DAY_S = 86400, LOOK_MS = 60000 };

static struct {
    timer_fn fn;
    void *arg;
    uint64_t set_ms;
} timer;
static struct {
    unsigned asked;
    int64_t before_ms;
    statement_done_fn done;
    void *arg;
} prune;
static int64_t now_s;
static long days;
static struct audit audit;

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
void __wrap_timer_set(struct timer *which, uint64_t ms);
int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix_ms(void);
int __wrap_store_prune(struct store *store, int64_t before_ms, statement_done_fn done, void *arg);

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    timer.fn = fn;
    timer.arg = arg;
    return (struct timer *)&timer;
}

void __wrap_timer_set(struct timer *which, uint64_t ms)
{
    (void)which;
    timer.set_ms = ms;
}

int64_t __wrap_clock_unix(void)
{
    return now_s;
}

int64_t __wrap_clock_unix_ms(void)
{
    return now_s * 1000;
}

int __wrap_store_prune(struct store *store, int64_t before_ms, statement_done_fn done, void *arg)
{
    (void)store;
    prune.asked++;
    prune.before_ms = before_ms;
    prune.done = done;
    prune.arg = arg;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    now_s = NOW_S;
    days = 30;
    prune.asked = 0;
    audit = (struct audit){.options = {.days = &days}};
    return audit_prune_start(&audit);
}

static void look(void)
{
    timer.fn(timer.arg);
    assert_int_equal(timer.set_ms, LOOK_MS);
}

/* One step is on the disk, and there is more (1), or not (0). */
static void step_done(int err)
{
    prune.done(prune.arg, err);
}

static void assert_pruned(unsigned asked, long before_days)
{
    assert_int_equal(prune.asked, asked);
    assert_int_equal(prune.before_ms, (int64_t)(NOW_S - before_days * DAY_S) * 1000);
}

static void steps_follow_until_nothing_is_left(void **state)
{
    (void)state;
    look();
    assert_pruned(1, 30);
    step_done(1);
    assert_pruned(2, 30);
    step_done(0);
    look();
    assert_int_equal(prune.asked, 2);
    now_s += DAY_S; /* the next day */
    look();
    assert_int_equal(prune.asked, 3);
}

static void nothing_more_is_removed_when_all_is_to_be_kept(void **state)
{
    (void)state;
    look();
    days = 0;
    step_done(1);
    assert_int_equal(prune.asked, 1);
}

/* The steps went on with 0 days, which is everything there is. */
static void not_even_after_the_setting_was_looked_at(void **state)
{
    (void)state;
    look();
    days = 0;
    look();
    step_done(1);
    assert_int_equal(prune.asked, 1);
}

static void what_is_to_be_kept_by_now_is_kept(void **state)
{
    (void)state;
    look();
    days = 90;
    step_done(1);
    assert_pruned(2, 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(steps_follow_until_nothing_is_left, set_up),
        cmocka_unit_test_setup(nothing_more_is_removed_when_all_is_to_be_kept, set_up),
        cmocka_unit_test_setup(not_even_after_the_setting_was_looked_at, set_up),
        cmocka_unit_test_setup(what_is_to_be_kept_by_now_is_kept, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
