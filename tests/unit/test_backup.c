/* A copy of the state file while it runs, and what it is worth when it is taken back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"
#include "small_disk.h"

struct fixture {
    struct disk *disk, *other; /* the other one has what was restored */
    char copy[STATE_DIR_MAX + 32];
    unsigned written;
    unsigned told;
    int err; /* the backup's */
    enum chain_finding finding;
    unsigned verdicts;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    f->other = disk_set_up();
    snprintf(f->copy, sizeof f->copy, "%s/copy.db", f->disk->settings.state_dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    disk_tear_down(f->disk);
    disk_tear_down(f->other);
    free(f);
    return 0;
}

static void start(struct disk *disk)
{
    disk_open(disk);
    disk_write(disk);
}

static void on_written(void *arg, int err)
{
    struct fixture *f = arg;
    f->written += err == 0;
}

static void append(struct fixture *f, struct disk *disk)
{
    char body[1024];
    snprintf(body, sizeof body, "%*s", (int)sizeof body - 1, "");
    store_append(disk->store, &(struct chain_row){.what = "x", .body = body}, on_written, f);
}

static void on_backup(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->err = err;
}

static int back_up(struct fixture *f, const char *path)
{
    unsigned told = f->told;
    assert_int_equal(store_backup(f->disk->store, path, on_backup, f), 0);
    WAIT_FOR(&f->disk->loop, f->told == told + 1);
    return f->err;
}

static void on_verdict(void *arg, int err, const struct chain_verdict *verdict)
{
    struct fixture *f = arg;
    f->verdicts++;
    f->finding = err < 0 ? CHAIN_ALTERED : verdict->finding;
}

/* Rows of the chain in the copy, which must be whole, and which goes on. */
static int64_t restore(struct fixture *f)
{
    char path[STATE_PATH_MAX];
    assert_int_equal(rename(f->copy, state_path(f->other->settings.state_dir, path)), 0);
    start(f->other);
    int64_t rows = store_head(f->other->store).seq;
    unsigned written = f->written;
    append(f, f->other);
    WAIT_FOR(&f->other->loop, f->written == written + 1);
    assert_int_equal(store_head(f->other->store).seq, rows + 1);
    assert_int_equal(store_verify(f->other->store, NULL, on_verdict, f), 0);
    WAIT_FOR(&f->other->loop, f->verdicts == 1);
    assert_int_equal(f->finding, CHAIN_WHOLE);
    disk_close(f->other);
    return rows;
}

static void it_has_what_was_written_until_then(void **state)
{
    struct fixture *f = *state;
    struct stat file;
    start(f->disk);
    for (unsigned i = 0; i < 500; i++) {
        append(f, f->disk);
    }
    WAIT_FOR(&f->disk->loop, f->written == 500);
    mode_t before = umask(0);
    assert_int_equal(back_up(f, f->copy), 0);
    umask(before);
    assert_int_equal(stat(f->copy, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    append(f, f->disk);
    WAIT_FOR(&f->disk->loop, f->written == 501);
    disk_close(f->disk);
    assert_int_equal(restore(f), 500);
}

static void writing_goes_on_meanwhile(void **state)
{
    struct fixture *f = *state;
    start(f->disk);
    for (unsigned i = 0; i < 20000; i++) {
        append(f, f->disk);
        WAIT_FOR(&f->disk->loop, i % 1000 != 999 || f->written == i + 1);
    }
    unsigned before = f->written, rounds = 0;
    assert_int_equal(store_backup(f->disk->store, f->copy, on_backup, f), 0);
    while (f->told == 0) {
        append(f, f->disk);
        store_hurry(f->disk->store); /* or it waits for others, longer than a copy takes here */
        loop_turn(&f->disk->loop, 10);
        rounds++;
    }
    assert_int_equal(f->err, 0);
    assert_true(f->written > before); /* before the copy was there */
    assert_in_range(restore(f), before, before + rounds);
    disk_close(f->disk);
}

static void a_file_that_is_there_is_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[STATE_PATH_MAX];
    start(f->disk);
    assert_int_equal(back_up(f, state_path(f->disk->settings.state_dir, path)), -EEXIST);
    assert_int_equal(symlink("/tmp/elsewhere.db", f->copy), 0);
    assert_int_equal(back_up(f, f->copy), -EEXIST);
    assert_int_not_equal(access("/tmp/elsewhere.db", F_OK), 0);
    assert_int_equal(back_up(f, "/nonexistent/copy.db"), -ENOENT);
    append(f, f->disk);
    WAIT_FOR(&f->disk->loop, f->written == 1);
    assert_int_equal(store_backup(NULL, f->copy, on_backup, f), -ENODEV);
    disk_close(f->disk);
}

/* ---- a full disk ------------------------------------------------------------------- */

static void back_up_without_room(void *arg)
{
    struct fixture *f = arg;
    start(f->disk);
    for (unsigned i = 0; i < 2000; i++) {
        append(f, f->disk);
    }
    for (unsigned i = 0; i < 80 && f->written < 2000; i++) {
        loop_turn(&f->disk->loop, 100);
    }
    DISK_CHECK(f->written == 2000);
    small_disk_fill(f->disk->settings.state_dir);
    DISK_CHECK(store_backup(f->disk->store, f->copy, on_backup, f) == 0);
    for (unsigned i = 0; i < 80 && f->told == 0; i++) {
        loop_turn(&f->disk->loop, 100);
    }
    DISK_CHECK(f->told == 1 && f->err == -ENOSPC);
    DISK_CHECK(access(f->copy, F_OK) < 0 && errno == ENOENT);
    disk_close(f->disk);
}

static void without_room_no_half_a_copy_is_left(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, 12, &f->disk->loop, back_up_without_room, f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_has_what_was_written_until_then),
        TEST(writing_goes_on_meanwhile),
        TEST(a_file_that_is_there_is_left_alone),
        TEST(without_room_no_half_a_copy_is_left),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
