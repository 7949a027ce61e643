/* What AUDIT_DAYS removes, by a clock that may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/timer.h"
#include "disk.h"
#include "vps/audit/audit.h"

static const int64_t BEGIN_MS = INT64_C(1764158640000), DAY = INT64_C(86400000);
static int64_t unix_ms;  /* what the clock says */
static uint64_t mono_ms; /* what passed */
static timer_fn look;
static void *look_arg;

int64_t __wrap_clock_unix_ms(void);
int64_t __wrap_clock_unix_ms(void)
{
    return unix_ms;
}

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return unix_ms / 1000;
}

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return mono_ms;
}

/* The last one that the audit makes is that of pruning; the store has one of its own. */
static bool starts_audit;

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    if (starts_audit) {
        look = fn;
        look_arg = arg;
    }
    return (struct timer *)&look;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    (void)timer;
    (void)ms;
}

void __wrap_timer_stop(struct timer *timer);
void __wrap_timer_stop(struct timer *timer)
{
    (void)timer;
}

void __wrap_timer_free(struct timer *timer);
void __wrap_timer_free(struct timer *timer)
{
    (void)timer;
}

struct fixture {
    struct disk *disk;
    struct audit *audit;
    long days;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.disk = disk_set_up(), .days = 90};
    fixture.disk->log.stream = fopen("/dev/null", "w");
    *state = &fixture;
    unix_ms = BEGIN_MS;
    mono_ms = 1000;
    return 0;
}

static void stop(struct fixture *f)
{
    audit_free(f->audit);
    f->audit = NULL;
    disk_close(f->disk);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    stop(f);
    fclose(f->disk->log.stream);
    disk_tear_down(f->disk);
    return 0;
}

static void start(struct fixture *f)
{
    disk_open(f->disk);
    const struct audit_options options = {
        .loop = &f->disk->loop, .store = f->disk->store, .log = &f->disk->log, .days = &f->days};
    starts_audit = true;
    f->audit = audit_new(&options);
    starts_audit = false;
    assert_non_null(f->audit);
    disk_write(f->disk);
}

static void record(struct fixture *f)
{
    const struct audit_entry entry = {.what = AUDIT_AGENT_STARTED};
    assert_int_equal(audit_record(f->audit, &entry, NULL, NULL), 0);
}

static void pass(int64_t ms)
{
    unix_ms += ms;
    mono_ms += (uint64_t)ms;
}

static void take_number(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

/* How many records are left after a look. */
static int64_t left(struct fixture *f)
{
    static const struct statement COUNT = {
        "SELECT count(*) FROM audit WHERE what <> 'audit.pruned'", {{0}}};
    int64_t count = 0;
    look(look_arg);
    stop(f);
    disk_open(f->disk);
    store_read(f->disk->store, &COUNT, take_number, &count);
    disk_close(f->disk);
    start(f);
    return count;
}

static void what_is_old_goes(void **state)
{
    struct fixture *f = *state;
    start(f);
    record(f);
    for (unsigned day = 0; day < 100; day += 20) {
        look(look_arg);
        for (unsigned i = 0; i < 20 * 24; i++) { /* an agent that runs looks often */
            pass(DAY / 24);
            look(look_arg);
        }
        record(f);
    }
    assert_int_equal(left(f), 5); /* of days 20 to 100 */
}

static void a_clock_that_leaps_ahead_removes_nothing_for_a_day(void **state)
{
    struct fixture *f = *state;
    start(f);
    record(f);
    record(f);
    unix_ms += 3650 * DAY;
    look(look_arg);
    pass(DAY / 2);
    assert_int_equal(left(f), 2);
    unix_ms -= 3650 * DAY; /* somebody has set it right */
    pass(DAY);
    assert_int_equal(left(f), 2);
}

static void so_does_one_that_was_wrong_at_the_start(void **state)
{
    struct fixture *f = *state;
    start(f);
    record(f);
    record(f);
    stop(f);
    unix_ms += 3650 * DAY;
    start(f);
    record(f);
    assert_int_equal(left(f), 3);
    pass(DAY / 2);
    look(look_arg);
    assert_int_equal(left(f), 3);
}

/* A server that was switched off for long: nobody has said that the clock is wrong. */
static void after_a_day_it_is_trusted(void **state)
{
    struct fixture *f = *state;
    start(f);
    record(f);
    record(f);
    stop(f);
    unix_ms += 200 * DAY;
    start(f);
    record(f);
    look(look_arg);
    assert_int_equal(left(f), 3);
    pass(DAY);
    look(look_arg);
    assert_int_equal(left(f), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_old_goes),
        TEST(a_clock_that_leaps_ahead_removes_nothing_for_a_day),
        TEST(so_does_one_that_was_wrong_at_the_start),
        TEST(after_a_day_it_is_trusted),
    };
    return cmocka_run_group_tests_name("audit_clock", tests, NULL, NULL);
}
