/* A locked server: who is told what, and that a restart changes nothing about it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
    told.by = *event->by;
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
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
