/* What the loop asks of the state file: pages of rows, which hold up nobody. */
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

#include "disk.h"

/* Never ends by itself. */
static const char ENDLESS[] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                              " SELECT max(i) FROM n";
static const char FIRST_PAGE[] = "SELECT at, seq, what FROM audit WHERE person = ?1"
                                 " ORDER BY at, seq";
static const char NEXT_PAGE[] = "SELECT at, seq, what FROM audit WHERE person = ?1"
                                " AND (at, seq) > (?2, ?3) ORDER BY at, seq";

struct fixture {
    struct disk *disk;
    unsigned written;
    unsigned rows, answers;
    int err; /* the last answer's */
    bool more;
    int64_t at, seq; /* the last row's */
    unsigned detach_at;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    f->disk->log.stream = fopen("/dev/null", "w");
    disk_open(f->disk);
    disk_write(f->disk);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    disk_close(f->disk);
    fclose(f->disk->log.stream);
    disk_tear_down(f->disk);
    free(f);
    return 0;
}

static void on_written(void *arg, int err)
{
    struct fixture *f = arg;
    assert_int_equal(err, 0);
    f->written++;
}

static void append(struct fixture *f, int64_t at, const char *person, const char *body)
{
    struct chain_row row = {.at_ms = at, .what = "session.opened", .person = person, .body = body};
    unsigned written = f->written;
    assert_int_equal(store_append(f->disk->store, &row, on_written, f), 0);
    WAIT_FOR(&f->disk->loop, f->written > written);
}

static void on_row(void *arg, const struct row *row)
{
    struct fixture *f = arg;
    f->rows++;
    f->at = row_number(row, 0);
    f->seq = row_number(row, 1);
    if (f->rows == f->detach_at) {
        store_detach(f->disk->store, f);
    }
}

static void on_answer(void *arg, int err, bool more)
{
    struct fixture *f = arg;
    f->answers++;
    f->err = err;
    f->more = more;
}

static int try_ask(struct fixture *f, struct statement statement, unsigned rows)
{
    const struct query query = {statement, rows, on_row, on_answer};
    return store_ask(f->disk->store, &query, f);
}

static void ask(struct fixture *f, struct statement statement, unsigned rows)
{
    unsigned answers = f->answers;
    f->rows = 0;
    assert_int_equal(try_ask(f, statement, rows), 0);
    assert_int_equal(f->answers, answers); /* never from inside */
    WAIT_FOR(&f->disk->loop, f->answers > answers);
    assert_int_equal(f->answers, answers + 1);
}

/* ---- rows ------------------------------------------------------------------- */

static void check_kinds(void *arg, const struct row *row)
{
    size_t len;
    struct fixture *f = arg;
    f->rows++;
    assert_int_equal(row->count, 4);
    assert_int_equal(row_number(row, 0), -5000000000);
    assert_string_equal(row_text(row, 1), "it's");
    assert_memory_equal(row_blob(row, 2, &len), "\0\1\2", 3);
    assert_int_equal(len, 3);
    assert_int_equal(row->values[3].kind, VALUE_NONE);
    /* What a column is not, or is not there. */
    assert_string_equal(row_text(row, 0), "");
    assert_string_equal(row_text(row, 3), "");
    assert_int_equal(row_number(row, 1), 0);
    assert_int_equal(row_number(row, 4), 0);
    assert_null(row_blob(row, 3, &len));
    assert_int_equal(len, 0);
}

static void a_row_has_numbers_texts_and_blobs(void **state)
{
    struct fixture *f = *state;
    char text[] = "it's", blob[] = "\0\1\2";
    const struct query query = {
        {"SELECT ?1, ?2, ?3, NULL",
         {value_number(-5000000000), value_text(text), value_blob(blob, 3)}},
        1,
        check_kinds,
        on_answer};
    assert_int_equal(store_ask(f->disk->store, &query, f), 0);
    text[0] = blob[0] = 'x'; /* it was copied */
    WAIT_FOR(&f->disk->loop, f->answers == 1);
    assert_int_equal(f->err, 0);
    assert_int_equal(f->rows, 1);
    assert_false(f->more);
}

static void what_was_told_as_written_is_in_the_answer(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 20; i++) {
        append(f, i, "telegram:42", "{}");
        ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0);
        assert_int_equal(f->rows, i);
    }
}

static void who_asks_again_behind_the_last_row_gets_all(void **state)
{
    struct fixture *f = *state;
    unsigned rows, pages;
    for (unsigned i = 0; i < 23; i++) { /* several at one time, and clocks that go back */
        append(f, 1000 - i / 3, i % 2 ? "telegram:43" : "telegram:42", "{}");
    }
    ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 5);
    for (rows = f->rows, pages = 1; f->more; rows += f->rows, pages++) {
        int64_t at = f->at, seq = f->seq;
        ask(f,
            (struct statement){NEXT_PAGE,
                               {value_text("telegram:42"), value_number(at), value_number(seq)}},
            5);
        assert_true(f->at > at || (f->at == at && f->seq > seq));
    }
    assert_int_equal(rows, 12);
    assert_int_equal(pages, 3);
}

static void an_answer_has_a_bound(void **state)
{
    struct fixture *f = *state;
    char body[4096];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    for (unsigned i = 0; i < 80; i++) {
        append(f, i, "telegram:42", body);
    }
    ask(f, (struct statement){"SELECT at, seq, body FROM audit", {{0}}}, 0);
    assert_int_equal(f->err, 0);
    assert_in_range(f->rows, 50, 70);
    assert_true(f->more);
    ask(f, (struct statement){"SELECT a.at FROM audit a, audit b", {{0}}}, 1000000);
    assert_int_equal(f->rows, QUERY_ROWS_MAX);
    assert_true(f->more);
    ask(f, (struct statement){"SELECT at FROM audit LIMIT 8", {{0}}}, 8);
    assert_int_equal(f->rows, 8);
    assert_false(f->more);
}

static void a_question_changes_nothing(void **state)
{
    struct fixture *f = *state;
    append(f, 1, "telegram:42", "{}");
    ask(f, (struct statement){"DELETE FROM audit", {{0}}}, 0);
    assert_int_equal(f->err, -EROFS);
    ask(f, (struct statement){"SELECT nonsense", {{0}}}, 0);
    assert_int_equal(f->err, -EINVAL);
    ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0);
    assert_int_equal(f->err, 0);
    assert_int_equal(f->rows, 1);
}

/* ---- who asks, and who waits -------------------------------------------------- */

static void an_endless_question_holds_up_no_write(void **state)
{
    struct fixture *f = *state;
    struct fixture other = {0};
    const struct query endless = {{ENDLESS, {{0}}}, 0, on_row, on_answer};
    const struct query next = {{"SELECT 1, 1", {{0}}}, 0, on_row, on_answer};
    assert_int_equal(store_ask(f->disk->store, &endless, f), 0);
    assert_int_equal(store_ask(f->disk->store, &next, &other), 0);
    for (unsigned i = 0; i < 20; i++) {
        append(f, i, "telegram:42", "{}");
    }
    assert_int_equal(f->answers + other.answers, 0);
    store_detach(f->disk->store, f); /* given up, and the next one has its turn */
    WAIT_FOR(&f->disk->loop, other.answers == 1);
    assert_int_equal(f->answers, 0);
}

static void it_ends_with_a_question_under_way(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(try_ask(f, (struct statement){ENDLESS, {{0}}}, 0), 0);
    assert_int_equal(try_ask(f, (struct statement){ENDLESS, {{0}}}, 0), 0);
    loop_run_for(&f->disk->loop, 20);
    /* and is torn down, in time */
}

static void who_is_gone_hears_of_no_more_rows(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++) {
        append(f, i, "telegram:42", "{}");
    }
    f->detach_at = 3;
    assert_int_equal(try_ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0), 0);
    WAIT_FOR(&f->disk->loop, f->rows == 3);
    loop_run_for(&f->disk->loop, 20);
    assert_int_equal(f->rows, 3);
    assert_int_equal(f->answers, 0);
}

static void not_everybody_is_heard_at_once(void **state)
{
    struct fixture *f = *state;
    unsigned taken = 0;
    while (try_ask(f, (struct statement){ENDLESS, {{0}}}, 0) == 0) {
        taken++;
    }
    assert_in_range(taken, 32, 1000);
    assert_int_equal(try_ask(f, (struct statement){ENDLESS, {{0}}}, 0), -EBUSY);
    store_detach(f->disk->store, f);
    WAIT_FOR(&f->disk->loop, try_ask(f, (struct statement){ENDLESS, {{0}}}, 0) == 0);
    assert_int_equal(f->answers, 0);
}

static void without_a_store_nobody_answers(void **state)
{
    const struct query query = {{FIRST_PAGE, {{0}}}, 0, on_row, on_answer};
    assert_int_equal(store_ask(NULL, &query, *state), -ENODEV);
}

/* ---- other files ---------------------------------------------------------------- */

static void it_asks_the_file_that_is_there_now(void **state)
{
    struct fixture *f = *state;
    char path[STATE_PATH_MAX];
    append(f, 1, "telegram:42", "{}");
    append(f, 2, "telegram:42", "{}");
    ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0);
    assert_int_equal(f->rows, 2);
    assert_int_equal(unlink(state_path(f->disk->settings.state_dir, path)), 0);
    ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0);
    assert_true(f->err < 0);
    append(f, 3, "telegram:42", "{}"); /* in a new one */
    ask(f, (struct statement){FIRST_PAGE, {value_text("telegram:42")}}, 0);
    assert_int_equal(f->err, 0);
    assert_int_equal(f->rows, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_row_has_numbers_texts_and_blobs),
        TEST(what_was_told_as_written_is_in_the_answer),
        TEST(who_asks_again_behind_the_last_row_gets_all),
        TEST(an_answer_has_a_bound),
        TEST(a_question_changes_nothing),
        TEST(an_endless_question_holds_up_no_write),
        TEST(it_ends_with_a_question_under_way),
        TEST(who_is_gone_hears_of_no_more_rows),
        TEST(not_everybody_is_heard_at_once),
        TEST(without_a_store_nobody_answers),
        TEST(it_asks_the_file_that_is_there_now),
    };
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
