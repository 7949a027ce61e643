/* What happened: rows that are only ever added, each with the hash of the one before it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/backoff.h"
#include "disk.h"

/* Attempts follow each other without a pause. */
uint32_t __wrap_backoff_next(struct backoff *backoff);
uint32_t __wrap_backoff_next(struct backoff *backoff)
{
    (void)backoff;
    return 1;
}

/* A disk that takes its time, on the writer's thread. */
static unsigned sync_ms, syncs;
static atomic_uint syncs_that_fail; /* from now on */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    usleep(sync_ms * 1000);
    syncs++;
    if (syncs_that_fail > 0) {
        syncs_that_fail--;
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

struct fixture {
    struct disk *disk;
    unsigned told, failed;
    int err;                /* the last */
    struct chain_head head; /* when that was told */
    unsigned rows;          /* that were read */
    struct chain_head last; /* of them */
    char words[8][32];      /* what happened, of the first ones */
    char bodies[8][256];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    f->disk->log.stream = fopen("/dev/null", "w"); /* what is said is test_store's business */
    sync_ms = 0;
    syncs_that_fail = 0;
    *state = f;
    return f->disk && f->disk->log.stream ? 0 : -1;
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

static void start(struct fixture *f)
{
    disk_open(f->disk);
    disk_write(f->disk);
}

static void on_done(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->failed += err < 0;
    f->err = err;
    f->head = store_head(f->disk->store);
}

static const struct chain_row OPENED = {.at_ms = 1764158640123,
                                        .what = "session.opened",
                                        .person = "telegram:42",
                                        .target = "HOME-PC:3389",
                                        .gateway = "lan",
                                        .session = "a6jc",
                                        .body = "{\"port\":40000}"};
static const struct chain_row STOPPED = {
    .at_ms = 1764158640124, .what = "agent.stopped", .person = "", .body = "{}"};

static void append(struct fixture *f, const struct chain_row *row)
{
    assert_int_equal(store_append(f->disk->store, row, on_done, f), 0);
}

static void change(struct fixture *f, const char *sql)
{
    assert_int_equal(store_write(f->disk->store, &(struct statement){sql, {{0}}}, on_done, f), 0);
}

/* ---- what is in the file ----------------------------------------------------- */

static void check_row(void *arg, const struct row *row)
{
    struct fixture *f = arg;
    size_t prev_len, len;
    const void *prev = row_blob(row, 1, &prev_len), *hash = row_blob(row, 2, &len);
    assert_int_equal(prev_len, sizeof f->last.hash);
    assert_int_equal(len, sizeof f->last.hash);
    assert_int_equal(row_number(row, 0), f->last.seq + 1);
    assert_memory_equal(prev, f->last.hash, len);
    f->last.seq = row_number(row, 0);
    memcpy(f->last.hash, hash, len);
    if (f->rows < 8) {
        snprintf(f->words[f->rows], sizeof *f->words, "%s", row_text(row, 3));
        snprintf(f->bodies[f->rows], sizeof *f->bodies, "%s", row_text(row, 4));
    }
    f->rows++;
}

/* After a restart. The chain must hang together. */
static void read_all(struct fixture *f)
{
    static const struct statement ALL = {
        "SELECT seq, prev, hash, what, body FROM audit ORDER BY seq", {{0}}};
    f->rows = 0;
    f->last = (struct chain_head){0};
    disk_open(f->disk);
    struct chain_head head = store_head(f->disk->store);
    assert_int_equal(store_read(f->disk->store, &ALL, check_row, f), 0);
    assert_int_equal(head.seq, f->last.seq);
    assert_memory_equal(head.hash, f->last.hash, sizeof head.hash);
    disk_close(f->disk);
}

static void check_hash(const struct chain_head *head, int64_t seq, const char *hex)
{
    char text[2 * CRYPTO_HASH_SIZE + 1];
    crypto_hex(head->hash, sizeof head->hash, text);
    assert_int_equal(head->seq, seq);
    assert_string_equal(text, hex);
}

/* ---- the chain ---------------------------------------------------------------- */

/* As Python's hashlib and struct have them. */
static void a_hash_is_that_of_the_stored_bytes_and_the_one_before(void **state)
{
    static const char FIRST[] = "ffd90485a946c8ed87c1c3fbb2bd9a5f4228a886d982d451886c3c030776cd32";
    static const char SECOND[] = "e739d73dfd05679d7ec54ebc2084c5ca0257a1340b0c820c7b2afd8b04134efe";
    struct fixture *f = *state;
    start(f);
    assert_int_equal(store_head(f->disk->store).seq, 0);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    assert_int_equal(f->err, 0);
    check_hash(&f->head, 1, FIRST);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 2);
    check_hash(&f->head, 2, SECOND);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 2);
    check_hash(&f->last, 2, SECOND);
    assert_string_equal(f->words[0], "session.opened");
    assert_string_equal(f->bodies[0], "{\"port\":40000}");
}

static void it_goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 3; i++) {
        start(f);
        append(f, &OPENED);
        append(f, &STOPPED);
        disk_close(f->disk);
        read_all(f);
        assert_int_equal(f->rows, 2 * i);
    }
}

static void no_row_is_ever_changed(void **state)
{
    struct fixture *f = *state;
    start(f);
    append(f, &OPENED);
    change(f, "UPDATE audit SET person = 'telegram:43'");
    WAIT_FOR(&f->disk->loop, f->told == 2);
    assert_int_equal(f->err, -EINVAL);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 3);
    assert_int_equal(f->err, 0);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 2);
}

/* With the sqlite3 program, while we run. */
static void what_somebody_else_wrote_is_told_of_and_holds_up_nothing(void **state)
{
    struct fixture *f = *state;
    char hash[2 * CRYPTO_HASH_SIZE + 1], wanted[256];
    start(f);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    crypto_hex(f->head.hash, sizeof f->head.hash, hash);
    change(f, "INSERT INTO audit(at, what, body, prev, hash)"
              " SELECT 1, 'forged', '{}', hash, zeroblob(32) FROM audit");
    WAIT_FOR(&f->disk->loop, f->told == 2);
    append(f, &STOPPED);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 4);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 5);
    assert_string_equal(f->words[1], "forged");
    assert_string_equal(f->words[2], CHAIN_TOUCHED);
    assert_string_equal(f->words[3], "agent.stopped");
    snprintf(wanted, sizeof wanted, "{\"because\":\"altered\",\"last_seq\":1,\"last_hash\":\"%s\"}",
             hash);
    assert_string_equal(f->bodies[2], wanted);
}

/* Its end, cut off. */
static void what_somebody_else_removed_is_told_of(void **state)
{
    struct fixture *f = *state;
    start(f);
    append(f, &OPENED);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 2);
    change(f, "DELETE FROM audit WHERE seq = 2");
    WAIT_FOR(&f->disk->loop, f->told == 3);
    append(f, &STOPPED);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 3);
    assert_string_equal(f->words[1], CHAIN_TOUCHED);
    assert_non_null(strstr(f->bodies[1], "\"last_seq\":2,"));
    assert_string_equal(f->words[2], "agent.stopped");
}

static void a_row_without_end_is_refused(void **state)
{
    struct fixture *f = *state;
    char *body = calloc(1, CHAIN_BODY_MAX + 2);
    struct chain_row row = {.what = "x", .body = memset(body, 'x', CHAIN_BODY_MAX + 1)};
    start(f);
    assert_int_equal(store_append(f->disk->store, &row, on_done, f), -EMSGSIZE);
    body[CHAIN_BODY_MAX] = '\0';
    append(f, &row);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    assert_int_equal(f->err, 0);
    disk_close(f->disk);
    free(body);
}

static void without_a_store_nothing_is_recorded(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_append(NULL, &OPENED, on_done, f), -ENODEV);
    assert_int_equal(store_head(NULL).seq, 0);
}

/* ---- when the file is not as it should be ---------------------------------------- */

static void what_could_not_be_recorded_is_told_once_and_written_later(void **state)
{
    struct fixture *f = *state;
    char elsewhere[STATE_DIR_MAX + 16];
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", f->disk->settings.state_dir);
    assert_int_equal(rename(f->disk->settings.state_dir, elsewhere), 0);
    start(f);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    assert_int_equal(f->err, -ENOENT);
    assert_int_equal(f->head.seq, 0);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 2);
    assert_int_equal(f->err, -ENOENT);
    assert_int_equal(rename(elsewhere, f->disk->settings.state_dir), 0);
    WAIT_FOR(&f->disk->loop, store_head(f->disk->store).seq == 2);
    assert_int_equal(f->told, 2);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 2);
}

static void rows_that_wait_are_not_dropped_but_bounded(void **state)
{
    struct fixture *f = *state;
    unsigned taken = 0;
    char elsewhere[STATE_DIR_MAX + 16];
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", f->disk->settings.state_dir);
    assert_int_equal(rename(f->disk->settings.state_dir, elsewhere), 0);
    start(f);
    int err;
    while ((err = store_append(f->disk->store, &OPENED, on_done, f)) == 0) {
        taken++;
    }
    assert_int_equal(err, -ENOSPC);
    for (unsigned i = 0; i < 3000; i++) { /* these are, as ever */
        change(f, "DELETE FROM known");
    }
    WAIT_FOR(&f->disk->loop, f->told == taken + 3000);
    assert_int_equal(rename(elsewhere, f->disk->settings.state_dir), 0);
    WAIT_FOR(&f->disk->loop, store_head(f->disk->store).seq == taken);
    append(f, &STOPPED);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(taken, 2048);
    assert_int_equal(f->rows, taken + 1);
}

static void a_file_that_was_damaged_is_told_of_in_the_next(void **state)
{
    struct fixture *f = *state;
    char path[STATE_PATH_MAX];
    start(f);
    append(f, &OPENED);
    disk_close(f->disk);
    int fd = open(state_path(f->disk->settings.state_dir, path), O_WRONLY);
    assert_int_equal(pwrite(fd, path, sizeof path, 0), sizeof path);
    close(fd);
    read_all(f); /* before anything else is written */
    assert_int_equal(f->rows, 1);
    assert_string_equal(f->words[0], CHAIN_BEGUN);
    assert_non_null(strstr(f->bodies[0], "{\"because\":\"damaged\",\"last_seq\":0,"));
}

/* One of many MB is not looked through at every start, but when something meets damage in it. */
static void a_large_file_is_looked_through_when_there_is_a_reason(void **state)
{
    enum { ROWS = 1300, PAGE = 4096 };
    struct fixture *f = *state;
    struct stat file;
    char path[STATE_PATH_MAX], *body = calloc(1, CHAIN_BODY_MAX + 1);
    const struct chain_row row = {.what = "x", .body = memset(body, 'x', CHAIN_BODY_MAX)};
    start(f);
    for (unsigned i = 1; i <= ROWS; i++) {
        append(f, &row);
        if (i % 100 == 0) { /* however slow the disk is, there is room for the next ones */
            WAIT_FOR(&f->disk->loop, f->told == i);
        }
    }
    disk_close(f->disk);
    int fd = open(state_path(f->disk->settings.state_dir, path), O_RDWR);
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_size > 16 * 1024 * 1024);
    for (off_t at = 32 * PAGE; at < file.st_size; at += PAGE) {
        assert_int_equal(pwrite(fd, body, 64, at), 64);
    }
    close(fd);
    start(f);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, store_head(f->disk->store).seq == 2);
    disk_close(f->disk);
    read_all(f);
    assert_string_equal(f->words[0], CHAIN_BEGUN);
    assert_string_equal(f->words[1], "agent.stopped");
    free(body);
}

/* As somebody else's sqlite3 does. */
static void run_beside(struct fixture *f, const char *sql)
{
    char path[STATE_PATH_MAX];
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(state_path(f->disk->settings.state_dir, path), &sqlite), 0);
    assert_int_equal(sqlite3_busy_timeout(sqlite, 1000), 0);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), 0);
    sqlite3_close(sqlite);
}

/* It is whole for SQLite; but what happens must not go nowhere, and nobody notice. */
static void a_table_that_takes_no_row_is_put_aside(void **state)
{
    static const char *const WAYS[] = {
        "DROP TABLE audit",
        "ALTER TABLE audit DROP COLUMN gateway",
        "CREATE TRIGGER deaf BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END",
        "INSERT INTO audit(seq, at, what, body, prev, hash)"
        " VALUES(9223372036854775807, 1, 'x', '{}', x'00', x'00')",
        "INSERT INTO audit(seq, at, what, body, prev, hash)"
        " VALUES(-7, 1, 'x', '{}', x'00', x'00'); DELETE FROM audit WHERE seq > 0",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        start(f);
        f->told = 0;
        append(f, &OPENED);
        WAIT_FOR(&f->disk->loop, f->told == 1);
        run_beside(f, WAYS[i]);
        append(f, &STOPPED);
        store_hurry(f->disk->store);
        WAIT_FOR(&f->disk->loop, f->told == 2 && store_can_write(f->disk->store) == 0 &&
                                     store_view(f->disk->store).records == 0);
        disk_close(f->disk);
        read_all(f);
        assert_string_equal(f->words[0], CHAIN_BEGUN);
        assert_string_equal(f->words[1], "agent.stopped");
        folder_clear(f->disk->settings.state_dir);
    }
}

/* The first one that is put aside may be the one that has it all. */
static void what_was_put_aside_stays(void **state)
{
    struct fixture *f = *state;
    char path[STATE_PATH_MAX], aside[STATE_PATH_MAX + 16];
    for (unsigned i = 1; i <= 11; i++) {
        start(f);
        append(f, &OPENED);
        WAIT_FOR(&f->disk->loop, f->told == i);
        disk_close(f->disk);
        int fd = open(state_path(f->disk->settings.state_dir, path), O_RDWR);
        assert_int_equal(pwrite(fd, path, 16, 0), 16);
        close(fd);
    }
    for (unsigned i = 1; i <= 9; i++) {
        snprintf(aside, sizeof aside, i == 1 ? "%s.damaged" : "%s.damaged.%u", path, i);
        assert_int_equal(access(aside, F_OK), 0);
    }
    snprintf(aside, sizeof aside, "%s.damaged.10", path);
    assert_int_equal(access(aside, F_OK), -1);
}

static void a_file_that_was_taken_away_is_told_of_in_the_next(void **state)
{
    struct fixture *f = *state;
    char path[STATE_PATH_MAX], hash[2 * CRYPTO_HASH_SIZE + 1], wanted[256];
    start(f);
    append(f, &OPENED);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 2);
    crypto_hex(f->head.hash, sizeof f->head.hash, hash);
    assert_int_equal(unlink(state_path(f->disk->settings.state_dir, path)), 0);
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 3);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 2);
    assert_string_equal(f->words[0], CHAIN_BEGUN);
    assert_string_equal(f->words[1], "agent.stopped");
    snprintf(wanted, sizeof wanted, "{\"because\":\"gone\",\"last_seq\":2,\"last_hash\":\"%s\"}",
             hash);
    assert_string_equal(f->bodies[0], wanted);
}

/* ---- the disk ------------------------------------------------------------------- */

/* After a power failure, too: the disk was told to write it. And nobody on the loop waits. */
static void it_is_on_the_disk_when_its_owner_is_told(void **state)
{
    struct fixture *f = *state;
    start(f);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    sync_ms = 200;
    unsigned before = syncs;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t since = uv_hrtime();
        append(f, &STOPPED);
        assert_in_range(uv_hrtime() - since, 0, 50 * 1000 * 1000);
        WAIT_FOR(&f->disk->loop, f->told == 2 + i);
        assert_in_range(uv_hrtime() - since, 200 * 1000 * 1000, UINT64_MAX);
        assert_true(syncs > before + i);
    }
    sync_ms = 0;
    disk_close(f->disk);
}

/*
 * A sync that fails leaves it open whether what was written is on the disk. Whichever of the syncs
 * fail, of the commit and of what follows, each row is in the chain once.
 */
static void after_trouble_with_the_disk_a_row_is_there_once(void **state)
{
    struct fixture *f = *state;
    for (unsigned fail = 1; fail <= 6; fail++) {
        disk_open(f->disk);
        disk_write(f->disk);
        f->told = 0;
        append(f, &OPENED);
        WAIT_FOR(&f->disk->loop, f->told == 1);
        syncs_that_fail = fail;
        append(f, &STOPPED);
        WAIT_FOR(&f->disk->loop, f->told == 2);
        append(f, &OPENED);
        store_hurry(f->disk->store);
        WAIT_FOR(&f->disk->loop, f->told == 3 && store_can_write(f->disk->store) == 0 &&
                                     store_view(f->disk->store).records == 0);
        disk_close(f->disk);
        read_all(f);
        assert_int_equal(f->rows, 3 * fail);
    }
}

/* Whatever comes in one turn of the loop, or soon after what nobody waits for, shares one sync. */
static void what_comes_together_is_synced_once(void **state)
{
    enum { ROWS = 40 };
    struct fixture *f = *state;
    start(f);
    append(f, &OPENED);
    store_hurry(f->disk->store);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    unsigned before = syncs;
    for (unsigned i = 0; i < ROWS; i++) {
        append(f, &STOPPED);
        store_hurry(f->disk->store);
    }
    WAIT_FOR(&f->disk->loop, f->told == 1 + ROWS);
    assert_int_equal(syncs, before + 1);
    for (unsigned i = 0; i < ROWS; i++) {
        append(f, &STOPPED);
        uv_run(&f->disk->loop, UV_RUN_NOWAIT);
    }
    WAIT_FOR(&f->disk->loop, f->told == 1 + 2 * ROWS);
    assert_in_range(syncs, before + 2, before + ROWS / 2); /* one, but on a busy machine */
    disk_close(f->disk);
}

/* And it comes to be written by itself, but not before others had the time to join it. */
static void what_nobody_waits_for_lingers(void **state)
{
    struct fixture *f = *state;
    uint64_t took = 0;
    start(f);
    for (unsigned i = 0; i < 20 && (i == 0 || took >= 45); i++) { /* the machine may be busy */
        uint64_t since = uv_hrtime();
        f->told = 0;
        append(f, &OPENED);
        WAIT_FOR(&f->disk->loop, f->told == 1);
        assert_in_range((uv_hrtime() - since) / 1000000, 45, UINT64_MAX);
        since = uv_hrtime();
        append(f, &OPENED);
        change(f, "DELETE FROM known"); /* which hurries */
        WAIT_FOR(&f->disk->loop, f->told == 3);
        took = (uv_hrtime() - since) / 1000000;
    }
    assert_in_range(took, 0, 45);
    disk_close(f->disk);
}

/* It may be found in the file, and be on no disk: it is told when something has been synced. */
static void no_row_is_told_as_written_while_no_sync_succeeds(void **state)
{
    struct fixture *f = *state;
    disk_open(f->disk);
    disk_write(f->disk);
    append(f, &OPENED);
    WAIT_FOR(&f->disk->loop, f->told == 1);
    assert_int_equal(f->err, 0);
    syncs_that_fail = 1000000;
    append(f, &STOPPED);
    WAIT_FOR(&f->disk->loop, f->told == 2);
    assert_int_equal(f->err, -EIO);
    for (unsigned i = 0; i < 20; i++) {
        loop_run_for(&f->disk->loop, 5);
        assert_int_equal(store_can_write(f->disk->store), -EIO);
    }
    syncs_that_fail = 0;
    WAIT_FOR(&f->disk->loop, store_can_write(f->disk->store) == 0);
    disk_close(f->disk);
    read_all(f);
    assert_int_equal(f->rows, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_hash_is_that_of_the_stored_bytes_and_the_one_before),
        TEST(it_goes_on_after_a_restart),
        TEST(no_row_is_ever_changed),
        TEST(what_somebody_else_wrote_is_told_of_and_holds_up_nothing),
        TEST(what_somebody_else_removed_is_told_of),
        TEST(a_row_without_end_is_refused),
        TEST(without_a_store_nothing_is_recorded),
        TEST(what_could_not_be_recorded_is_told_once_and_written_later),
        TEST(rows_that_wait_are_not_dropped_but_bounded),
        TEST(a_file_that_was_damaged_is_told_of_in_the_next),
        TEST(a_large_file_is_looked_through_when_there_is_a_reason),
        TEST(a_table_that_takes_no_row_is_put_aside),
        TEST(what_was_put_aside_stays),
        TEST(a_file_that_was_taken_away_is_told_of_in_the_next),
        TEST(it_is_on_the_disk_when_its_owner_is_told),
        TEST(after_trouble_with_the_disk_a_row_is_there_once),
        TEST(what_comes_together_is_synced_once),
        TEST(what_nobody_waits_for_lingers),
        TEST(no_row_is_told_as_written_while_no_sync_succeeds),
    };
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
