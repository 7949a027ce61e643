/* Whether the chain is whole, from its beginning, which moves on, to a head noted elsewhere. */
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
#include <sqlite3.h>

#include "disk.h"

struct fixture {
    struct disk *disk;
    unsigned told;
    int err; /* the last that was told */
    unsigned verdicts;
    struct chain_verdict verdict;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    disk_open(f->disk);
    disk_write(f->disk);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    disk_tear_down(f->disk);
    free(f);
    return 0;
}

static void on_done(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->err = err;
}

static void append(struct fixture *f, int64_t at_ms, const char *body)
{
    struct chain_row row = {.at_ms = at_ms, .what = "x", .person = "telegram:42", .body = body};
    assert_int_equal(store_append(f->disk->store, &row, on_done, f), 0);
}

/* Rows at 1, 2, … ms; where the chain ends then. */
static struct chain_head append_rows(struct fixture *f, unsigned count)
{
    unsigned told = f->told;
    for (unsigned i = 1; i <= count; i++) {
        append(f, i, "{\"a\":1}");
        WAIT_FOR(&f->disk->loop, i % 1000 != 0 || f->told == told + i);
    }
    WAIT_FOR(&f->disk->loop, f->told == told + count);
    assert_int_equal(f->err, 0);
    return store_head(f->disk->store);
}

static void prune(struct fixture *f, int64_t before_ms, int wanted)
{
    unsigned told = f->told;
    assert_int_equal(store_prune(f->disk->store, before_ms, on_done, f), 0);
    WAIT_FOR(&f->disk->loop, f->told == told + 1);
    assert_int_equal(f->err, wanted);
}

static void on_verdict(void *arg, int err, const struct chain_verdict *verdict)
{
    struct fixture *f = arg;
    assert_int_equal(err, 0);
    f->verdicts++;
    f->verdict = *verdict;
}

static const struct chain_verdict *verify(struct fixture *f, const struct chain_anchor *anchor)
{
    unsigned verdicts = f->verdicts;
    assert_int_equal(store_verify(f->disk->store, anchor, on_verdict, f), 0);
    WAIT_FOR(&f->disk->loop, f->verdicts == verdicts + 1);
    return &f->verdict;
}

static void check(struct fixture *f, const struct chain_anchor *anchor, enum chain_finding finding,
                  int64_t at)
{
    verify(f, anchor);
    assert_int_equal(f->verdict.finding, finding);
    assert_int_equal(f->verdict.at, at);
}

/* As much of it as is noted. */
static struct chain_anchor anchor_at(const struct chain_head *head, size_t len)
{
    struct chain_anchor anchor = {.seq = head->seq, .len = len};
    memcpy(anchor.hash, head->hash, len);
    return anchor;
}

/* As whoever can write the file would. */
static void tamper(struct fixture *f, const char *sql)
{
    char path[STATE_PATH_MAX];
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(state_path(f->disk->settings.state_dir, path), &sqlite), 0);
    assert_int_equal(sqlite3_busy_timeout(sqlite, 1000), 0);
    assert_int_equal(sqlite3_exec(sqlite, "DROP TRIGGER IF EXISTS audit_stays", NULL, NULL, NULL),
                     0);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), 0);
    sqlite3_close(sqlite);
}

/* ---- what is whole -------------------------------------------------------------- */

static void what_nobody_touched_is_whole(void **state)
{
    struct fixture *f = *state;
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.rows, 0);
    struct chain_head head = append_rows(f, 100);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.rows, 100);
    assert_int_equal(f->verdict.first, 1);
    assert_memory_equal(&f->verdict.head, &head, sizeof head);
    append_rows(f, 20);
    for (size_t len = 1; len <= CRYPTO_HASH_SIZE; len += 15) {
        struct chain_anchor anchor = anchor_at(&head, len);
        check(f, &anchor, CHAIN_WHOLE, 0);
        anchor.hash[len - 1] ^= 1;
        check(f, &anchor, CHAIN_ANCHOR_DIFFERS, 100);
    }
    assert_int_equal(store_verify(NULL, NULL, on_verdict, f), -ENODEV);
}

/* ---- what is not ------------------------------------------------------------------ */

static void a_row_that_was_altered_is_found(void **state)
{
    static const char *const WAYS[] = {
        "UPDATE audit SET body = '{\"a\":2}' WHERE seq = 7",
        "UPDATE audit SET at = at + 1 WHERE seq = 7",
        "UPDATE audit SET what = 'y' WHERE seq = 7",
        "UPDATE audit SET person = 'telegram:43' WHERE seq = 7",
        "UPDATE audit SET person = NULL, target = 'telegram:42' WHERE seq = 7",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 7",
        "UPDATE audit SET hash = x'00' WHERE seq = 7",
        /* Nobody who asks for telegram:42 would find it. */
        "UPDATE audit SET person = person || char(0) WHERE seq = 7",
        "UPDATE audit SET body = body || char(0) || 'x' WHERE seq = 7",
    };
    struct fixture *f = *state;
    append_rows(f, 10);
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        tamper(f, "CREATE TABLE kept AS SELECT * FROM audit WHERE seq = 7");
        tamper(f, WAYS[i]);
        check(f, NULL, CHAIN_ALTERED, 7);
        assert_int_equal(f->verdict.rows, 6);
        tamper(f, "REPLACE INTO audit SELECT * FROM kept; DROP TABLE kept");
        check(f, NULL, CHAIN_WHOLE, 0);
    }
}

static void a_row_that_is_missing_is_found(void **state)
{
    struct fixture *f = *state;
    struct chain_head head = append_rows(f, 10);
    struct chain_anchor anchor = anchor_at(&head, 16);
    tamper(f, "DELETE FROM audit WHERE seq = 10");
    check(f, NULL, CHAIN_WHOLE, 0); /* which only an anchor tells */
    check(f, &anchor, CHAIN_ANCHOR_MISSING, 0);
    tamper(f, "DELETE FROM audit WHERE seq = 5");
    check(f, &anchor, CHAIN_TORN, 6);
    tamper(f, "UPDATE audit SET seq = seq - 1 WHERE seq > 5");
    check(f, NULL, CHAIN_TORN, 5);
    tamper(f, "DELETE FROM audit WHERE seq < 3");
    check(f, NULL, CHAIN_HEADLESS, 3);
    tamper(f, "UPDATE audit SET seq = seq - 2");
    check(f, NULL, CHAIN_HEADLESS, 1);
}

static void an_end_that_was_written_anew_is_found_by_an_anchor(void **state)
{
    struct fixture *f = *state;
    struct chain_head head = append_rows(f, 10);
    struct chain_anchor anchor = anchor_at(&head, 16);
    check(f, &anchor, CHAIN_WHOLE, 0);
    tamper(f, "DELETE FROM audit WHERE seq > 8");
    append_rows(f, 5);
    check(f, NULL, CHAIN_WHOLE, 0);
    check(f, &anchor, CHAIN_ANCHOR_DIFFERS, 10);
}

/* ---- its beginning ------------------------------------------------------------------ */

static void what_is_old_goes_and_the_rest_is_whole(void **state)
{
    struct fixture *f = *state;
    struct chain_head third, tenth;
    append_rows(f, 3);
    third = store_head(f->disk->store);
    append(f, 4, "{}");
    append(f, 5, "{}");
    WAIT_FOR(&f->disk->loop, f->told == 5);
    tenth = append_rows(f, 5); /* times that begin again */
    prune(f, 1, 0);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.rows, 10); /* and no row without need */
    prune(f, 4, 0);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.first, 4);
    assert_int_equal(f->verdict.head.seq, 11);
    assert_int_equal(f->verdict.rows, 8);

    struct chain_anchor anchor = anchor_at(&tenth, 16);
    check(f, &anchor, CHAIN_WHOLE, 0);
    anchor = anchor_at(&third, 16); /* the last that went: it is still known */
    check(f, &anchor, CHAIN_WHOLE, 0);
    anchor.hash[0] ^= 1;
    check(f, &anchor, CHAIN_ANCHOR_DIFFERS, 4);
    anchor.seq = 2;
    check(f, &anchor, CHAIN_ANCHOR_PRUNED, 0);
}

/* A clock that was wrong for a day must not keep all that follows for good. */
static void a_row_of_a_time_to_come_goes_with_the_old_ones(void **state)
{
    static const int64_t IN_2099 = INT64_C(4070908800000);
    struct fixture *f = *state;
    append_rows(f, 2);
    append(f, IN_2099, "{}");
    append(f, IN_2099, "{}");
    WAIT_FOR(&f->disk->loop, f->told == 4);
    append_rows(f, 3);
    append(f, 9, "{}");
    append(f, IN_2099, "{}");
    append(f, 9, "{}");
    WAIT_FOR(&f->disk->loop, f->told == 10);
    prune(f, 4, 0);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.first, 8);
    prune(f, 4, 0);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.first, 8);
}

static void it_is_never_without_a_row(void **state)
{
    struct fixture *f = *state;
    append_rows(f, 10);
    for (unsigned i = 0; i < 3; i++) {
        prune(f, INT64_MAX, 0);
        check(f, NULL, CHAIN_WHOLE, 0);
        assert_int_equal(f->verdict.head.seq, 11 + i);
        assert_int_equal(f->verdict.rows, 2); /* the last one, and what stands for the others */
    }
    disk_close(f->disk);
    disk_open(f->disk);
    disk_write(f->disk);
    append_rows(f, 1);
    check(f, NULL, CHAIN_WHOLE, 0);
}

static void much_goes_in_several_steps(void **state)
{
    struct fixture *f = *state;
    append_rows(f, CHAIN_CUT_MAX + 3);
    prune(f, CHAIN_CUT_MAX + 3, 1);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.first, CHAIN_CUT_MAX + 1);
    prune(f, CHAIN_CUT_MAX + 3, 0);
    check(f, NULL, CHAIN_WHOLE, 0);
    assert_int_equal(f->verdict.first, CHAIN_CUT_MAX + 3);
    assert_int_equal(f->verdict.rows, 3);
}

static void a_beginning_that_somebody_removed_is_found(void **state)
{
    struct fixture *f = *state;
    append_rows(f, 10);
    prune(f, 4, 0);
    tamper(f, "DELETE FROM audit WHERE seq < 6");
    check(f, NULL, CHAIN_HEADLESS, 6);
}

static void a_row_about_the_beginning_that_cannot_be_read_is_found(void **state)
{
    struct fixture *f = *state;
    append_rows(f, 10);
    prune(f, 4, 0);
    tamper(f, "UPDATE audit SET body = '{\"last_seq\":3' WHERE what = 'audit.pruned'");
    check(f, NULL, CHAIN_HEADLESS, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_touched_is_whole),
        TEST(a_row_that_was_altered_is_found),
        TEST(a_row_that_is_missing_is_found),
        TEST(an_end_that_was_written_anew_is_found_by_an_anchor),
        TEST(what_is_old_goes_and_the_rest_is_whole),
        TEST(a_row_of_a_time_to_come_goes_with_the_old_ones),
        TEST(it_is_never_without_a_row),
        TEST(much_goes_in_several_steps),
        TEST(a_beginning_that_somebody_removed_is_found),
        TEST(a_row_about_the_beginning_that_cannot_be_read_is_found),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
