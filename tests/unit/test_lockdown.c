/* A locked server: who is told what, and that a restart changes nothing about it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "disk.h"
#include "vps/session/lockdown.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42}, ROOT = {OWNER_LOCAL, 0};

static struct {
    unsigned locked, unlocked, number;
    struct owner by;
    const char *reason;
} told;

static void tell(void *arg, const struct session_event *event)
{
    (void)arg;
    told.locked += event->kind == SESSION_SERVER_LOCKED;
    told.unlocked += event->kind == SESSION_SERVER_UNLOCKED;
    told.number = event->number;
    told.by = event->by ? *event->by : (struct owner){0};
    told.reason = event->reason;
}

static int set_up(void **state)
{
    memset(&told, 0, sizeof told);
    *state = disk_set_up();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    disk_tear_down(*state);
    return 0;
}

static struct lockdown *begin(struct disk *disk)
{
    disk_open(disk);
    const struct lockdown_options options = {.store = disk->store, .log = &disk->log, .tell = tell};
    struct lockdown *lockdown = lockdown_new(&options);
    assert_non_null(lockdown);
    disk_write(disk);
    return lockdown;
}

static void end(struct disk *disk, struct lockdown *lockdown)
{
    lockdown_free(lockdown);
    disk_close(disk);
}

static void it_is_told_when_it_is_on_disk_and_survives_a_restart(void **state)
{
    struct disk *disk = *state;
    struct lockdown_view view;
    struct why why = {""};
    disk->log.level = LOG_ERROR;
    struct lockdown *lockdown = begin(disk);
    assert_false(lockdown_view(lockdown, &view));
    assert_int_equal(lockdown_check(lockdown, NULL, &why), 0);
    assert_true(lockdown_begin(lockdown, &ANNA, 3));
    assert_int_equal(told.locked, 0); /* it is not there yet */
    while (told.locked == 0) {
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
    assert_int_equal(told.number, 3);
    assert_true(owner_equal(&told.by, &ANNA));
    assert_null(told.reason);
    end(disk, lockdown);

    lockdown = begin(disk);
    assert_true(lockdown_view(lockdown, &view));
    assert_true(owner_equal(&view.by, &ANNA));
    assert_true(view.since_unix > 1700000000);
    assert_int_equal(lockdown_check(lockdown, NULL, &why), -EPERM);
    assert_non_null(strstr(why.text, "This server is locked: an administrator ended"));
    assert_false(lockdown_begin(lockdown, &ROOT, 0));
    assert_true(lockdown_lift(lockdown, &ROOT));
    end(disk, lockdown);

    lockdown = begin(disk);
    assert_false(lockdown_view(lockdown, NULL));
    end(disk, lockdown);
}

static void the_last_word_counts_when_words_come_quickly(void **state)
{
    struct disk *disk = *state;
    disk->log.level = LOG_ERROR;
    struct lockdown *lockdown = begin(disk);
    lockdown_begin(lockdown, &ANNA, 0);
    lockdown_lift(lockdown, &ROOT);
    lockdown_begin(lockdown, &ROOT, 0);
    while (told.locked < 2) {
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
    assert_int_equal(told.unlocked, 1);
    end(disk, lockdown);
    lockdown = begin(disk);
    assert_true(lockdown_view(lockdown, NULL));
    end(disk, lockdown);
}

static void write_to_state_file(struct disk *disk, const char *bytes)
{
    char path[STATE_PATH_MAX];
    FILE *file = fopen(state_path(disk->settings.state_dir, path), "r+");
    assert_non_null(file);
    assert_true(fputs(bytes, file) >= 0);
    fclose(file);
}

static void check_it_is_in_doubt(struct lockdown *lockdown)
{
    struct lockdown_view view;
    struct why why = {""};
    assert_true(lockdown_view(lockdown, &view));
    assert_true(view.is_in_doubt);
    assert_int_equal(lockdown_check(lockdown, NULL, &why), -EPERM);
    assert_non_null(strstr(why.text, "its state file could not be read"));
}

/* Whoever damages the file must not unlock the server by it: what is not known is locked. */
static void a_file_that_is_damaged_locks(void **state)
{
    struct disk *disk = *state;
    disk->log.stream = fopen("/dev/null", "w");
    end(disk, begin(disk));
    write_to_state_file(disk, "no database");
    struct lockdown *lockdown = begin(disk);
    check_it_is_in_doubt(lockdown);
    while (told.locked == 0) {
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
    end(disk, lockdown);

    lockdown = begin(disk); /* the new file says it */
    check_it_is_in_doubt(lockdown);
    assert_true(lockdown_lift(lockdown, &ROOT));
    end(disk, lockdown);
    lockdown = begin(disk);
    assert_false(lockdown_view(lockdown, NULL));
    end(disk, lockdown);
    fclose(disk->log.stream);
    disk->log.stream = stderr;
}

/* A folder in the place of the file, and then the file again, which says that it was ANNA. */
static void a_file_that_cannot_be_opened_locks(void **state)
{
    struct disk *disk = *state;
    struct lockdown_view view;
    char path[STATE_PATH_MAX], aside[STATE_PATH_MAX + 8];
    disk->log.stream = fopen("/dev/null", "w");
    struct lockdown *lockdown = begin(disk);
    assert_true(lockdown_begin(lockdown, &ANNA, 0));
    end(disk, lockdown);
    snprintf(aside, sizeof aside, "%s.aside", state_path(disk->settings.state_dir, path));
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    lockdown = begin(disk);
    check_it_is_in_doubt(lockdown);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    end(disk, lockdown); /* is written at the latest then */
    lockdown = begin(disk);
    assert_true(lockdown_view(lockdown, &view));
    assert_false(view.is_in_doubt);
    assert_true(owner_equal(&view.by, &ANNA));
    end(disk, lockdown);
    fclose(disk->log.stream);
    disk->log.stream = stderr;
}

/* The table is gone, and all else is there. */
static void a_lock_that_cannot_be_read_locks(void **state)
{
    struct disk *disk = *state;
    static const struct statement DROP = {"DROP TABLE lockdown", {{0}}};
    disk->log.stream = fopen("/dev/null", "w");
    end(disk, begin(disk));
    disk_open(disk);
    disk_write(disk);
    assert_int_equal(store_write(disk->store, &DROP, NULL, NULL), 0);
    disk_close(disk);
    struct lockdown *lockdown = begin(disk);
    check_it_is_in_doubt(lockdown);
    end(disk, lockdown);
    fclose(disk->log.stream);
    disk->log.stream = stderr;
}

/* Taken away under the running agent: the next file has the lock, too. */
static void a_new_file_is_locked_as_the_old_one_was(void **state)
{
    struct disk *disk = *state;
    struct lockdown_view view;
    static const struct statement OTHER = {"DELETE FROM queue", {{0}}};
    char path[STATE_PATH_MAX];
    disk->log.stream = fopen("/dev/null", "w");
    struct lockdown *lockdown = begin(disk);
    assert_true(lockdown_begin(lockdown, &ANNA, 0));
    while (told.locked == 0) {
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
    assert_int_equal(unlink(state_path(disk->settings.state_dir, path)), 0);
    assert_int_equal(store_write(disk->store, &OTHER, NULL, NULL), 0);
    loop_run_for(&disk->loop, 200);
    end(disk, lockdown);
    lockdown = begin(disk);
    assert_true(lockdown_view(lockdown, &view));
    assert_true(owner_equal(&view.by, &ANNA));
    end(disk, lockdown);
    fclose(disk->log.stream);
    disk->log.stream = stderr;
}

/* Without a state file it holds until the process ends, and whoever asked for it is told so. */
static void what_cannot_be_kept_is_said(void **state)
{
    static struct log quiet = {.level = LOG_ERROR};
    const struct lockdown_options options = {.log = &quiet, .tell = tell};
    (void)state;
    quiet.stream = fopen("/dev/null", "w");
    struct lockdown *lockdown = lockdown_new(&options);
    assert_true(lockdown_begin(lockdown, &ANNA, 1));
    assert_int_equal(told.locked, 1);
    assert_string_equal(told.reason, strerror(ENODEV));
    assert_true(lockdown_view(lockdown, NULL));
    lockdown_free(lockdown);
    fclose(quiet.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_told_when_it_is_on_disk_and_survives_a_restart,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_word_counts_when_words_come_quickly, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_damaged_locks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_locks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lock_that_cannot_be_read_locks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_file_is_locked_as_the_old_one_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
