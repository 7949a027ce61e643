/*
 * A process that writes what happens is killed at any moment, again and again on the same file: the
 * chain is whole each time, and whatever was told as written is there. KILLS=200 for the long form.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dice.h"
#include "disk.h"

enum {
    UNDER_WAY_MAX = 40,
    KEPT = 400, /* rows that are not pruned */
    AFTER_MS_MAX = 60,
};

/* A row's id is its time. */
struct writing {
    struct disk *disk;
    int out;
    int64_t next; /* row */
    int64_t told; /* rows are told in their order */
    unsigned under_way;
};

static void on_row(void *arg, int err)
{
    struct writing *writing = arg;
    writing->under_way--;
    writing->told++;
    if (err < 0 || write(writing->out, &writing->told, sizeof writing->told) < 0) {
        _exit(1);
    }
}

static void append(struct writing *writing)
{
    char body[64];
    snprintf(body, sizeof body, "{\"id\":%lld}", (long long)writing->next);
    const struct chain_row row = {.at_ms = writing->next++,
                                  .what = "x",
                                  .person = "telegram:42",
                                  .session = "abcd",
                                  .body = body};
    if (store_append(writing->disk->store, &row, on_row, writing) < 0) {
        _exit(1);
    }
    writing->under_way++;
}

/* What shares the transactions of rows. */
static void write_beside(struct writing *writing)
{
    const struct statement statement = {"INSERT OR REPLACE INTO joined VALUES('key', 'office', ?1)",
                                        {value_number(writing->next)}};
    store_write(writing->disk->store, &statement, NULL, NULL);
    if (writing->next % 64 == 0) {
        store_prune(writing->disk->store, writing->next - KEPT, NULL, NULL);
    }
}

static void write_until_killed(struct disk *disk, int out, int64_t first, unsigned burst)
{
    struct writing writing = {.disk = disk, .out = out, .next = first, .told = first - 1};
    disk_open(disk);
    disk_write(disk);
    for (;;) {
        for (unsigned i = 0; i < burst && writing.under_way < UNDER_WAY_MAX; i++) {
            append(&writing);
            write_beside(&writing);
        }
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
}

/* The last row that was told as written. */
static int64_t run_and_kill(struct disk *disk, int64_t first, struct dice *dice)
{
    int fds[2];
    int64_t id, last = first - 1;
    unsigned burst = 1 + (unsigned)dice_below(dice, 20);
    useconds_t after_us = (useconds_t)dice_below(dice, AFTER_MS_MAX * 1000);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        uv_loop_fork(&disk->loop);
        write_until_killed(disk, fds[1], first, burst);
    }
    close(fds[1]);
    usleep(after_us);
    kill(child, SIGKILL);
    while (read(fds[0], &id, sizeof id) == sizeof id) {
        last = id;
    }
    close(fds[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return last;
}

/* ---- what is left ---------------------------------------------------------------- */

struct found {
    int64_t first, last, count; /* rows by their id */
    unsigned verdicts;
    struct chain_verdict verdict;
};

static void take_rows(void *arg, const struct row *row)
{
    struct found *found = arg;
    found->first = row_number(row, 0);
    found->last = row_number(row, 1);
    found->count = row_number(row, 2);
}

static void on_verdict(void *arg, int err, const struct chain_verdict *verdict)
{
    struct found *found = arg;
    assert_int_equal(err, 0);
    found->verdicts++;
    found->verdict = *verdict;
}

static struct found look(struct disk *disk)
{
    static const struct statement ROWS = {
        "SELECT coalesce(min(at), 0), coalesce(max(at), 0), count(DISTINCT at) FROM audit"
        " WHERE what = 'x'",
        {{0}}};
    struct found found = {0};
    disk_open(disk);
    assert_int_equal(store_read(disk->store, &ROWS, take_rows, &found), 0);
    disk_write(disk);
    assert_int_equal(store_verify(disk->store, NULL, on_verdict, &found), 0);
    WAIT_FOR(&disk->loop, found.verdicts == 1);
    disk_close(disk);
    return found;
}

static void what_was_told_is_there_whenever_it_is_killed(void **state)
{
    const char *given = getenv("KILLS");
    unsigned kills = given ? (unsigned)atoi(given) : 20;
    struct disk *disk = disk_set_up();
    struct dice dice = dice_new();
    int64_t last = 0, told_at_all = 0;
    (void)state;
    for (unsigned i = 0; i < kills; i++) {
        int64_t told = run_and_kill(disk, last + 1, &dice);
        struct found found = look(disk);
        assert_int_equal(found.verdict.finding, CHAIN_WHOLE);
        assert_true(found.last >= told);
        assert_true(found.last <= told + UNDER_WAY_MAX);
        assert_int_equal(found.count, found.last == 0 ? 0 : found.last - found.first + 1);
        assert_true(found.first <= 1 || found.first <= found.last - KEPT + 1);
        told_at_all += told - last;
        last = found.last;
    }
    print_message("%u kills, %lld rows told as written\n", kills, (long long)told_at_all);
    assert_true(told_at_all > 0);
    disk_tear_down(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_is_there_whenever_it_is_killed),
    };
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
