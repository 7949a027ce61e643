/* A disk that is full: what was kept in reserve takes what happens, until there is room again. */
#include <errno.h>
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

#include "disk.h"
#include "small_disk.h"
#include "vps/store/reserve.h"

enum { MIB = 8 };

struct fixture {
    struct disk *disk;
    char *said;
    size_t said_len;
    char reserve[STATE_DIR_MAX + 32];
    unsigned told, failed, changes;
    int err, now; /* the last of both */
};

/* How many syncs fail from now on, for no want of room. */
static atomic_int bad_syncs;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    if (bad_syncs > 0) {
        bad_syncs--;
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->disk = disk_set_up();
    f->disk->log = (struct log){.stream = open_memstream(&f->said, &f->said_len),
                                .level = LOG_INFO};
    snprintf(f->reserve, sizeof f->reserve, "%s/audit.reserve", f->disk->settings.state_dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    disk_close(f->disk);
    fclose(f->disk->log.stream);
    disk_tear_down(f->disk);
    free(f->said);
    free(f);
    return 0;
}

static void on_change(void *arg, int err)
{
    struct fixture *f = arg;
    f->changes++;
    f->now = err;
}

static void start(struct fixture *f)
{
    struct why why;
    DISK_CHECK(state_open(f->disk->settings.state_dir, &f->disk->log, &f->disk->store, &why) == 0);
    store_on_change(f->disk->store, on_change, f);
    DISK_CHECK(store_start(f->disk->store, &f->disk->loop) == 0);
}

static void on_done(void *arg, int err)
{
    struct fixture *f = arg;
    f->told++;
    f->failed += err < 0;
    f->err = err;
}

static void turn_until(struct fixture *f, unsigned told)
{
    for (unsigned i = 0; i < 80 && f->told < told; i++) {
        loop_turn(&f->disk->loop, 100);
    }
    DISK_CHECK(f->told == told);
}

static void wait_for(struct fixture *f, int can_write)
{
    for (unsigned i = 0; i < 80 && store_can_write(f->disk->store) != can_write; i++) {
        loop_turn(&f->disk->loop, 100);
    }
    DISK_CHECK(store_can_write(f->disk->store) == can_write);
    loop_turn(&f->disk->loop, 20); /* and is told */
}

/* One row of `len` bytes; what came of it. */
static int append(struct fixture *f, unsigned len)
{
    char body[CHAIN_BODY_MAX];
    snprintf(body, sizeof body, "%*s", (int)len, "");
    DISK_CHECK(store_append(f->disk->store, &(struct chain_row){.what = "x", .body = body}, on_done,
                            f) == 0);
    turn_until(f, f->told + 1);
    return f->err;
}

/* Until the disk is found full. */
static void append_until_full(struct fixture *f)
{
    for (unsigned i = 0; i < 1000 && store_can_write(f->disk->store) == 0; i++) {
        DISK_CHECK(append(f, 4000) == 0);
    }
    DISK_CHECK(store_can_write(f->disk->store) == -ENOSPC);
}

static off_t size_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? file.st_size : -1;
}

static bool log_has(struct fixture *f, const char *words)
{
    fflush(f->disk->log.stream);
    return f->said && strstr(f->said, words);
}

/* After a restart. */
static int64_t rows_in_file(struct fixture *f)
{
    start(f);
    int64_t rows = store_head(f->disk->store).seq;
    disk_close(f->disk);
    return rows;
}

/* ---- the tests ------------------------------------------------------------------ */

static void fill_and_empty(void *arg)
{
    struct fixture *f = arg;
    const char *folder = f->disk->settings.state_dir;
    start(f);
    DISK_CHECK(size_of(f->reserve) == RESERVE_SIZE);
    DISK_CHECK(append(f, 10) == 0 && store_can_write(f->disk->store) == 0 && f->changes == 0);
    small_disk_fill(folder);
    append_until_full(f);
    loop_turn(&f->disk->loop, 20);
    DISK_CHECK(f->failed == 0); /* it went into the reserve */
    DISK_CHECK(size_of(f->reserve) == -1);
    DISK_CHECK(f->changes == 1 && f->now == -ENOSPC);
    DISK_CHECK(log_has(f, "is full: what happens is recorded in the 1024 KiB"));
    for (unsigned i = 0; i < 20; i++) { /* as running sessions end */
        DISK_CHECK(append(f, 1000) == 0);
    }
    loop_run_for(&f->disk->loop, 100);
    DISK_CHECK(f->changes == 1);
    small_disk_make_room(folder);
    wait_for(f, 0);
    DISK_CHECK(f->changes == 2 && f->now == 0);
    DISK_CHECK(size_of(f->reserve) == RESERVE_SIZE);
    DISK_CHECK(log_has(f, "can be written again"));
    int64_t rows = store_head(f->disk->store).seq;
    disk_close(f->disk);
    DISK_CHECK(rows == f->told && rows_in_file(f) == rows);
}

static void a_full_disk_is_told_of_and_recovers_by_itself(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, MIB, &f->disk->loop, fill_and_empty, f);
}

static void use_up_the_reserve(void *arg)
{
    struct fixture *f = arg;
    const char *folder = f->disk->settings.state_dir;
    start(f);
    small_disk_fill(folder);
    for (unsigned i = 0; i < 2000 && f->failed == 0; i++) {
        append(f, 8000);
    }
    DISK_CHECK(f->err == -ENOSPC && store_can_write(f->disk->store) == -ENOSPC);
    DISK_CHECK(append(f, 10) == -ENOSPC); /* at once, and it waits */
    DISK_CHECK(log_has(f, "cannot write"));
    unsigned told = f->told;
    small_disk_make_room(folder);
    wait_for(f, 0);
    DISK_CHECK(f->told == told && f->now == 0);
    disk_close(f->disk);
    DISK_CHECK(rows_in_file(f) == told);
}

static void what_no_longer_goes_into_the_reserve_waits(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, MIB, &f->disk->loop, use_up_the_reserve, f);
}

/* Without what SQLite keeps beside the file, it cannot be opened on a full disk. */
static void restart_without_its_index(void *arg)
{
    struct fixture *f = arg;
    char path[STATE_PATH_MAX], side[STATE_PATH_MAX + 8];
    start(f);
    DISK_CHECK(append(f, 10) == 0);
    disk_close(f->disk);
    state_path(f->disk->settings.state_dir, path);
    snprintf(side, sizeof side, "%s-shm", path);
    DISK_CHECK(unlink(side) == 0);
    snprintf(side, sizeof side, "%s-wal", path);
    DISK_CHECK(unlink(side) == 0);
    small_disk_fill(f->disk->settings.state_dir);
    start(f);
    DISK_CHECK(!log_has(f, "cannot open"));
    DISK_CHECK(log_has(f, "is full"));
    DISK_CHECK(store_head(f->disk->store).seq == 1);
    DISK_CHECK(store_can_write(f->disk->store) == -ENOSPC);
    DISK_CHECK(append(f, 10) == 0);
    small_disk_make_room(f->disk->settings.state_dir);
    wait_for(f, 0);
    DISK_CHECK(f->changes == 1);
    disk_close(f->disk);
    DISK_CHECK(rows_in_file(f) == 2);
}

static void an_agent_starts_on_a_full_disk(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, MIB, &f->disk->loop, restart_without_its_index, f);
}

/* It may be the room, and so the reserve is given; but there has to be one when there is none. */
static void fail_otherwise(void *arg)
{
    struct fixture *f = arg;
    start(f);
    bad_syncs = 1;
    DISK_CHECK(append(f, 10) == 0 && bad_syncs == 0);
    DISK_CHECK(size_of(f->reserve) == RESERVE_SIZE && f->changes == 0);
    bad_syncs = 1000; /* both attempts, and what closing the file syncs */
    DISK_CHECK(append(f, 10) == -EIO && size_of(f->reserve) == -1);
    bad_syncs = 0;
    wait_for(f, 0);
    DISK_CHECK(append(f, 10) == 0 && size_of(f->reserve) == RESERVE_SIZE);
    disk_close(f->disk);
}

static void what_was_given_for_another_trouble_is_kept_again(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, MIB, &f->disk->loop, fail_otherwise, f);
}

static void keep_and_give(void *arg)
{
    struct fixture *f = arg;
    DISK_CHECK(reserve_make(f->reserve) == 0);
    DISK_CHECK(reserve_make(f->reserve) == 0);
    DISK_CHECK(size_of(f->reserve) == RESERVE_SIZE);
    DISK_CHECK(truncate(f->reserve, 100) == 0); /* half made, as after a crash */
    DISK_CHECK(reserve_make(f->reserve) == 0 && size_of(f->reserve) == RESERVE_SIZE);
    DISK_CHECK(reserve_give(f->reserve) && !reserve_give(f->reserve));
    small_disk_fill(f->disk->settings.state_dir);
    DISK_CHECK(reserve_make(f->reserve) == -ENOSPC && size_of(f->reserve) == -1);
    DISK_CHECK(symlink("/tmp/elsewhere", f->reserve) == 0);
    DISK_CHECK(reserve_make(f->reserve) == -ELOOP);
}

static void it_takes_what_it_keeps(void **state)
{
    struct fixture *f = *state;
    small_disk_run(f->disk->settings.state_dir, MIB, &f->disk->loop, keep_and_give, f);
}

static void without_a_store_nothing_can_be_written(void **state)
{
    (void)state;
    assert_int_equal(store_can_write(NULL), -ENODEV);
    store_on_change(NULL, on_change, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_is_told_of_and_recovers_by_itself),
        TEST(what_no_longer_goes_into_the_reserve_waits),
        TEST(an_agent_starts_on_a_full_disk),
        TEST(what_was_given_for_another_trouble_is_kept_again),
        TEST(it_takes_what_it_keeps),
        TEST(without_a_store_nothing_can_be_written),
    };
    return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
