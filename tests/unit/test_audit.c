#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/timer.h"
#include "vps/audit/audit.h"

/* ---- a store that says what the test wants, and a clock that it sets -------- */

enum { ROWS_MAX = 16 };

static struct {
    struct {
        char what[32], person[32], target[64], body[200];
        statement_done_fn done;
        void *arg;
    } rows[ROWS_MAX];
    unsigned count, told, hurried;
    int err; /* of store_append() */
    int trouble;
    store_changed_fn changed;
    void *changed_arg;
} store;

static struct {
    timer_fn fn;
    void *arg;
    uint64_t at_ms; /* UINT64_MAX: stopped */
} timer;
static uint64_t now_ms;

int __wrap_store_append(struct store *file, const struct chain_row *row, statement_done_fn done,
                        void *arg);
void __wrap_store_detach(struct store *file, const void *arg);
void __wrap_store_hurry(struct store *file);
int __wrap_store_can_write(struct store *file);
void __wrap_store_on_change(struct store *file, store_changed_fn fn, void *arg);
uint64_t __wrap_clock_ms(void);
struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
void __wrap_timer_set(struct timer *which, uint64_t ms);
void __wrap_timer_stop(struct timer *which);
void __wrap_timer_free(struct timer *which);

int __wrap_store_append(struct store *file, const struct chain_row *row, statement_done_fn done,
                        void *arg)
{
    (void)file;
    if (store.err < 0) {
        return store.err;
    }
    assert_in_range(store.count, 0, ROWS_MAX - 1);
    unsigned at = store.count++;
    assert_true(row->at_ms > 0);
    snprintf(store.rows[at].what, sizeof store.rows[at].what, "%s", row->what);
    snprintf(store.rows[at].person, sizeof store.rows[at].person, "%s", row->person);
    snprintf(store.rows[at].target, sizeof store.rows[at].target, "%s", row->target);
    snprintf(store.rows[at].body, sizeof store.rows[at].body, "%s", row->body);
    store.rows[at].done = done;
    store.rows[at].arg = arg;
    return 0;
}

void __wrap_store_on_change(struct store *file, store_changed_fn fn, void *arg)
{
    (void)file;
    store.changed = fn;
    store.changed_arg = arg;
}

int __wrap_store_can_write(struct store *file)
{
    (void)file;
    return store.trouble;
}

void __wrap_store_hurry(struct store *file)
{
    (void)file;
    store.hurried++;
}

void __wrap_store_detach(struct store *file, const void *arg)
{
    (void)file;
    for (unsigned i = 0; i < store.count; i++) {
        store.rows[i].done = store.rows[i].arg == arg ? NULL : store.rows[i].done;
    }
}

uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

struct timer *__wrap_timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    (void)loop;
    timer.fn = fn;
    timer.arg = arg;
    timer.at_ms = UINT64_MAX;
    return (struct timer *)&timer;
}

void __wrap_timer_set(struct timer *which, uint64_t ms)
{
    (void)which;
    timer.at_ms = now_ms + ms;
}

void __wrap_timer_stop(struct timer *which)
{
    (void)which;
    timer.at_ms = UINT64_MAX;
}

void __wrap_timer_free(struct timer *which)
{
    (void)which;
    timer.fn = NULL;
}

/* The disk says what came of the next row. */
static void disk_says(int err)
{
    assert_in_range(store.told, 0, store.count - 1);
    unsigned at = store.told++;
    store.trouble = err;
    store.rows[at].done(store.rows[at].arg, err);
}

static void let_pass(uint64_t ms)
{
    now_ms += ms;
    if (timer.at_ms <= now_ms) {
        timer.at_ms = UINT64_MAX;
        timer.fn(timer.arg);
    }
}

/* ---- who is called ---------------------------------------------------------- */

static char heard[200];

static void hear(void *arg, int err)
{
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof heard - len, "%s%s%s", len ? " " : "", (const char *)arg,
             err < 0 ? "!" : "");
}

static void expect(const char *words)
{
    assert_string_equal(heard, words);
    heard[0] = '\0';
}

static int begin(void **state)
{
    static struct log log;
    memset(&store, 0, sizeof store);
    heard[0] = '\0';
    now_ms = 1000;
    log = (struct log){.stream = fopen("/dev/null", "w"), .level = LOG_ERROR};
    const struct audit_options options = {.log = &log, .changed = hear, .arg = "changed"};
    *state = audit_new(&options);
    assert_non_null(*state);
    return 0;
}

static int end(void **state)
{
    audit_free(*state);
    assert_null(timer.fn);
    return 0;
}

static const struct audit_entry STARTED = {.what = AUDIT_AGENT_STARTED};

static void record(struct audit *audit, const char *name)
{
    assert_int_equal(audit_record(audit, &STARTED, name ? hear : NULL, (void *)name), 0);
}

static void wait_behind(struct audit *audit, const char *name)
{
    if (audit_barrier(audit, hear, (void *)name)) {
        hear((void *)name, 0);
    }
}

/* ---- tests ------------------------------------------------------------------ */

static void test_a_row_has_its_columns(void **state)
{
    const struct owner owner = {OWNER_TELEGRAM, 42};
    const struct audit_entry entry = {
        .what = AUDIT_SESSION_ASKED, .owner = &owner, .kind = "ssh", .host = "HOME-PC", .port = 22};
    assert_int_equal(audit_record(*state, &entry, NULL, NULL), 0);
    assert_string_equal(store.rows[0].what, "session.asked");
    assert_string_equal(store.rows[0].person, "telegram:42");
    assert_string_equal(store.rows[0].target, "HOME-PC:22");
    assert_string_equal(store.rows[0].body, "{\"kind\":\"ssh\"}");
}

static void test_done_comes_with_the_disk(void **state)
{
    record(*state, "a");
    record(*state, "b");
    expect("");
    disk_says(0);
    expect("a");
    disk_says(-ENOSPC);
    expect("b!");
}

static void test_a_barrier_waits_for_what_is_before_it_alone(void **state)
{
    wait_behind(*state, "nothing");
    expect("nothing");
    record(*state, NULL);
    wait_behind(*state, "one");
    record(*state, NULL);
    wait_behind(*state, "two");
    expect("");
    disk_says(0);
    expect("one");
    wait_behind(*state, "three");
    disk_says(0);
    expect("two three");
    wait_behind(*state, "nothing");
    expect("nothing");
}

static void test_a_barrier_is_told_that_the_disk_is_full(void **state)
{
    record(*state, NULL);
    wait_behind(*state, "a");
    disk_says(-ENOSPC);
    expect("a!");
    assert_int_equal(audit_trouble(*state), -ENOSPC);
    wait_behind(*state, "b"); /* nothing is under way */
    expect("b");
    record(*state, NULL);
    disk_says(0);
    assert_int_equal(audit_trouble(*state), 0);
}

/* Else nobody would be told of anything any more. */
static void test_a_disk_that_hangs_holds_nobody_for_ever(void **state)
{
    record(*state, "row");
    wait_behind(*state, "a");
    let_pass(AUDIT_PATIENCE_MS / 2);
    wait_behind(*state, "b");
    expect("");
    let_pass(AUDIT_PATIENCE_MS / 2);
    expect("a!");
    let_pass(AUDIT_PATIENCE_MS / 2);
    expect("b!");
    disk_says(0);
    expect("row");
    assert_int_equal(timer.at_ms, UINT64_MAX);
}

static void test_who_is_gone_is_not_called(void **state)
{
    static const char GONE[] = "gone";
    record(*state, GONE);
    wait_behind(*state, GONE);
    wait_behind(*state, "b");
    audit_detach(*state, GONE);
    disk_says(0);
    expect("b");
}

static struct audit *inner;
static const char LEFT[] = "left";

static void record_more(void *arg, int err)
{
    hear(arg, err);
    record(inner, "inner");
    wait_behind(inner, "behind");
    audit_detach(inner, LEFT);
}

static void test_may_be_used_from_inside(void **state)
{
    inner = *state;
    record(*state, NULL);
    assert_false(audit_barrier(*state, record_more, "first"));
    wait_behind(*state, LEFT);
    disk_says(0);
    expect("first");
    disk_says(0);
    expect("inner behind");
}

/* What nobody waits for is written some milliseconds later, together with other records. */
static void test_the_disk_is_hurried_when_somebody_waits(void **state)
{
    record(*state, NULL);
    assert_int_equal(store.hurried, 0);
    wait_behind(*state, "a");
    assert_int_equal(store.hurried, 1);
    record(*state, "b");
    assert_int_equal(store.hurried, 2);
    disk_says(0);
    disk_says(0);
    expect("a b");
}

static void test_a_full_disk_is_told_of(void **state)
{
    (void)state;
    store.changed(store.changed_arg, -ENOSPC);
    expect("changed!");
    assert_string_equal(store.rows[0].what, "audit.full");
    assert_string_equal(store.rows[0].body, "{\"why\":\"No space left on device\"}");
    store.changed(store.changed_arg, 0);
    expect("changed");
    assert_string_equal(store.rows[1].what, "audit.recovered");
}

static void test_what_has_no_room_is_said(void **state)
{
    store.err = -ENOSPC;
    assert_int_equal(audit_record(*state, &STARTED, hear, "a"), -ENOSPC);
    wait_behind(*state, "b");
    expect("b");
}

static void test_without_an_audit_nobody_waits(void **state)
{
    (void)state;
    heard[0] = '\0';
    assert_int_equal(audit_record(NULL, &STARTED, hear, "a"), -ENODEV);
    wait_behind(NULL, "b");
    audit_detach(NULL, heard);
    audit_free(NULL);
    expect("b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_row_has_its_columns, begin, end),
        cmocka_unit_test_setup_teardown(test_done_comes_with_the_disk, begin, end),
        cmocka_unit_test_setup_teardown(test_a_barrier_waits_for_what_is_before_it_alone, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_a_barrier_is_told_that_the_disk_is_full, begin, end),
        cmocka_unit_test_setup_teardown(test_a_disk_that_hangs_holds_nobody_for_ever, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_gone_is_not_called, begin, end),
        cmocka_unit_test_setup_teardown(test_may_be_used_from_inside, begin, end),
        cmocka_unit_test_setup_teardown(test_the_disk_is_hurried_when_somebody_waits, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_told_of, begin, end),
        cmocka_unit_test_setup_teardown(test_what_has_no_room_is_said, begin, end),
        cmocka_unit_test(test_without_an_audit_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
