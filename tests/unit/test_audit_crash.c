/* What was open when the last agent was killed has an end, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"
#include "vps/audit/audit.h"

enum { ROWS_MAX = 16 };

static struct {
    char what[32], person[32], target[64], gateway[32], session[32], body[300];
} rows[ROWS_MAX];
static unsigned count;

static void take_row(void *arg, const struct row *row)
{
    (void)arg;
    assert_in_range(count, 0, ROWS_MAX - 1);
    snprintf(rows[count].what, sizeof rows->what, "%s", row_text(row, 0));
    snprintf(rows[count].person, sizeof rows->person, "%s", row_text(row, 1));
    snprintf(rows[count].target, sizeof rows->target, "%s", row_text(row, 2));
    snprintf(rows[count].gateway, sizeof rows->gateway, "%s", row_text(row, 3));
    snprintf(rows[count].session, sizeof rows->session, "%s", row_text(row, 4));
    snprintf(rows[count].body, sizeof rows->body, "%s", row_text(row, 5));
    count++;
}

/* One that records and does not say that it stops. */
static void record(struct disk *disk, const char *what, const char *session)
{
    const struct chain_row row = {.at_ms = INT64_C(1764158640123),
                                  .what = what,
                                  .person = "telegram:42",
                                  .target = "[fd00::1]:22",
                                  .gateway = "lan",
                                  .session = session,
                                  .body = "{\"name\":\"anna\",\"kind\":\"ssh\",\"rule\":7}"};
    assert_int_equal(store_append(disk->store, &row, NULL, NULL), 0);
}

/* As vps-agent starts; what it found. */
static unsigned start(struct disk *disk)
{
    disk_open(disk);
    const struct audit_options options = {
        .loop = &disk->loop, .store = disk->store, .log = &disk->log};
    struct audit *audit = audit_new(&options);
    assert_non_null(audit);
    unsigned found = audit_after_crash(audit);
    disk_write(disk);
    const struct audit_entry started = {.what = AUDIT_AGENT_STARTED};
    assert_int_equal(audit_record(audit, &started, NULL, NULL), 0);
    audit_free(audit);
    return found;
}

/* What is behind the first ones. */
static void read_behind(struct disk *disk, unsigned before)
{
    const struct statement statement = {"SELECT what, person, target, gateway, session, body FROM "
                                        "audit WHERE seq > ?1 ORDER BY seq",
                                        {value_number(before)}};
    disk_close(disk);
    disk_open(disk);
    count = 0;
    assert_int_equal(store_read(disk->store, &statement, take_row, NULL), 0);
    disk_close(disk);
}

static void what_was_open_is_ended_once(void **state)
{
    struct disk *disk = *state;
    assert_int_equal(start(disk), 0);
    record(disk, "session.opened", "over");
    record(disk, "session.opened", "open");
    record(disk, "session.ended", "over");
    record(disk, "approval.asked", "asks");
    record(disk, "factor.asked", "given");
    record(disk, "approval.asked", "given");
    record(disk, "session.opened", "given");
    record(disk, "session.connected", "open");
    disk_close(disk);

    assert_int_equal(start(disk), 3);
    read_behind(disk, 9);
    assert_int_equal(count, 4);
    assert_string_equal(rows[0].what, "session.ended");
    assert_string_equal(rows[0].session, "open");
    assert_string_equal(rows[0].person, "telegram:42");
    assert_string_equal(rows[0].target, "[fd00::1]:22");
    assert_string_equal(rows[0].gateway, "lan");
    assert_string_equal(rows[0].body,
                        "{\"name\":\"anna\",\"kind\":\"ssh\",\"rule\":7,\"word\":\"crash\",\"why\":"
                        "\"vps-agent came to a sudden end, at 2025-11-26 12:04 UTC or later\"}");
    assert_string_equal(rows[1].session, "given");
    assert_string_equal(rows[2].what, "approval.withdrawn");
    assert_string_equal(rows[2].session, "asks");
    assert_string_equal(rows[3].what, "agent.started");

    assert_int_equal(start(disk), 0); /* it was killed once more, and nothing was open */
    disk_close(disk);
}

/* Killed before it could say that it has started: the next one begins where it did. */
static void a_crash_at_the_start_changes_nothing(void **state)
{
    struct disk *disk = *state;
    start(disk);
    record(disk, "session.opened", "one");
    record(disk, "session.opened", "two");
    record(disk, "session.ended", "one"); /* by the start that was killed */
    disk_close(disk);
    assert_int_equal(start(disk), 1);
    read_behind(disk, 4);
    assert_string_equal(rows[0].session, "two");
}

static void nothing_is_looked_for_after_a_stop(void **state)
{
    struct disk *disk = *state;
    start(disk);
    record(disk, "session.opened", "one");
    record(disk, "agent.stopped", NULL);
    disk_close(disk);
    assert_int_equal(start(disk), 0);
    disk_close(disk);
    assert_int_equal(audit_after_crash(NULL), 0);
}

/* What somebody has written in the place of JSON holds up no start. */
static void a_body_that_cannot_be_read_has_an_end_too(void **state)
{
    struct disk *disk = *state;
    const struct chain_row odd = {
        .what = "session.opened", .session = "odd", .target = "x", .body = "{\"na"};
    start(disk);
    assert_int_equal(store_append(disk->store, &odd, NULL, NULL), 0);
    disk_close(disk);
    assert_int_equal(start(disk), 1);
    read_behind(disk, 2);
    assert_string_equal(rows[0].session, "odd");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, disk_begin, disk_end)
    const struct CMUnitTest tests[] = {
        TEST(what_was_open_is_ended_once),
        TEST(a_crash_at_the_start_changes_nothing),
        TEST(nothing_is_looked_for_after_a_stop),
        TEST(a_body_that_cannot_be_read_has_an_end_too),
    };
    return cmocka_run_group_tests_name("audit_crash", tests, NULL, NULL);
}
