/* Second factors: each code once, how many wrong ones, and what a restart leaves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "disk.h"
#include "vps/factor/factors.h"
#include "vps/factor/tries.h"
#include "vps/policy/policy_file.h"

enum { NOW_S = 1764200000, ALICE = 42, BOB = 43, UID = 1000 };

static const char POLICY[] = "users:\n"
                             "  alice: {telegram: 42, uid: 1000}\n"
                             "  bob: {telegram: 43}\n"
                             "rules:\n"
                             "  - {who: \"*\", targets: \"*\", kinds: \"*\"}\n";

static int64_t now_s;
static uint64_t now_ms;

int64_t __wrap_clock_unix(void);
int64_t __wrap_clock_unix(void)
{
    return now_s;
}

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

static const struct owner alice = {OWNER_TELEGRAM, ALICE};
static const struct owner alice_here = {OWNER_LOCAL, UID};
static const struct owner bob = {OWNER_TELEGRAM, BOB};
static const struct owner root = {OWNER_LOCAL, 0};

static struct people *people;
static struct factors *factors;
static uint8_t secret[TOTP_SECRET_SIZE];
static unsigned told;
static int told_err;
static struct owner told_owner;

static void pass(unsigned seconds)
{
    now_s += seconds;
    now_ms += seconds * UINT64_C(1000);
}

static void start(struct disk *disk)
{
    disk_open(disk);
    const struct factors_options options = {
        .log = &disk->log, .settings = &disk->settings, .people = people, .store = disk->store};
    factors = factors_new(&options);
    assert_non_null(factors);
    disk_write(disk);
}

static void stop(struct disk *disk)
{
    factors_free(factors);
    disk_close(disk);
}

static void restart(struct disk *disk)
{
    stop(disk);
    start(disk);
}

static int set_up(void **state)
{
    struct disk *disk = disk_set_up();
    struct why why;
    now_s = NOW_S;
    now_ms = 1000000;
    told = 0;
    *state = disk;
    if (!disk || policy_parse("policy.yaml", POLICY, strlen(POLICY), NULL,
                              &disk->settings.policy_file.policy, &why) < 0) {
        return -1;
    }
    disk->log.level = LOG_ERROR;
    disk->settings.factor_minutes = 15;
    people = people_new(&disk->settings);
    start(disk);
    return 0;
}

static int tear_down(void **state)
{
    struct disk *disk = *state;
    stop(disk);
    people_free(people);
    policy_free(disk->settings.policy_file.policy);
    disk_tear_down(disk);
    return 0;
}

static void on_done(void *arg, const struct owner *owner, int err)
{
    (void)arg;
    told++;
    told_err = err;
    told_owner = *owner;
}

/* Until one more was told. */
static void hear(struct disk *disk, const struct owner *owner)
{
    unsigned before = told;
    while (told == before) {
        uv_run(&disk->loop, UV_RUN_ONCE);
    }
    assert_int_equal(told_err, 0);
    assert_true(owner_equal(&told_owner, owner));
}

/* The code of now, or of so many steps from now. */
static uint32_t code_at(int steps)
{
    uint32_t code;
    assert_int_equal(totp_code(secret, totp_step(now_s) + (uint64_t)(int64_t)steps, &code), 0);
    return code;
}

static enum factor_result try(const struct owner *owner, uint32_t code)
{
    return factors_try(factors, owner, code, on_done, NULL);
}

/* None that is right in this window. */
static uint32_t wrong_code(void)
{
    uint32_t code = 0;
    while (code == code_at(-1) || code == code_at(0) || code == code_at(1)) {
        code++;
    }
    return code;
}

static int check(const struct owner *owner)
{
    struct why why = {""};
    return factors_check(factors, owner, &why);
}

static void expect_why(const struct owner *owner, int err, const char *words)
{
    struct why why = {""};
    assert_int_equal(factors_check(factors, owner, &why), err);
    assert_non_null(strstr(why.text, words));
}

static void enrol(struct disk *disk, const char *person)
{
    assert_int_equal(factors_enrol(factors, person, secret), 0);
    assert_int_equal(factors_confirm(factors, person, code_at(0), &root, on_done, NULL),
                     FACTOR_RIGHT);
    hear(disk, &root);
    pass(60);
}

/* ---- enrolling ------------------------------------------------------------------ */

static void nothing_counts_before_a_code_confirms_it(void **state)
{
    struct disk *disk = *state;
    struct factor_view view;
    expect_why(&alice, -ENOENT, "pamctl totp alice");
    assert_int_equal(factors_enrol(factors, "alice", secret), 0);
    assert_int_equal(check(&alice), -ENOENT);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_NONE);
    for (unsigned i = 0; i < 30; i++) { /* whoever enrols sees the secret: no guesses to count */
        assert_int_equal(factors_confirm(factors, "alice", wrong_code(), &root, on_done, NULL),
                         FACTOR_WRONG);
    }
    restart(disk);
    assert_int_equal(factors_confirm(factors, "alice", code_at(0), &root, on_done, NULL),
                     FACTOR_NONE);
    enrol(disk, "alice");
    assert_int_equal(check(&alice), -EINPROGRESS);
    assert_true(factors_view(factors, "alice", &view));
    assert_int_equal(view.since, NOW_S);
    assert_false(factors_view(factors, "bob", &view));
}

static void a_secret_that_nobody_confirms_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(factors_enrol(factors, "alice", secret), 0);
    pass(15 * 60);
    assert_int_equal(factors_confirm(factors, "alice", code_at(0), &root, on_done, NULL),
                     FACTOR_NONE);
}

static void another_secret_takes_the_place_of_the_first(void **state)
{
    struct disk *disk = *state;
    uint8_t first[TOTP_SECRET_SIZE];
    enrol(disk, "alice");
    memcpy(first, secret, sizeof first);
    assert_int_equal(factors_enrol(factors, "alice", secret), 0);
    assert_memory_not_equal(first, secret, sizeof first);
    memcpy(secret, first, sizeof first); /* which is good until then */
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    hear(disk, &alice);
    enrol(disk, "alice");
    uint32_t code = code_at(0);
    memcpy(secret, first, sizeof first);
    if (code_at(0) != code) { /* one in a million */
        assert_int_equal(try(&alice, code_at(0)), FACTOR_WRONG);
    }
}

static void the_code_that_confirms_it_is_used(void **state)
{
    struct disk *disk = *state;
    assert_int_equal(factors_enrol(factors, "alice", secret), 0);
    assert_int_equal(factors_confirm(factors, "alice", code_at(0), &root, on_done, NULL),
                     FACTOR_RIGHT);
    hear(disk, &root);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_USED);
}

/* ---- each once ------------------------------------------------------------------ */

static void a_code_is_taken_once_also_after_a_restart(void **state)
{
    struct disk *disk = *state;
    enrol(disk, "alice");
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_USED); /* while it is being written, too */
    hear(disk, &alice);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_USED);
    assert_int_equal(try(&alice, code_at(-1)), FACTOR_USED);
    restart(disk);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_USED);
    assert_int_equal(try(&alice, code_at(1)), FACTOR_RIGHT); /* of a phone that is early */
    hear(disk, &alice);
}

static void what_cannot_be_written_does_not_count(void **state)
{
    struct disk *disk = *state;
    enrol(disk, "alice");
    const struct factors_options options = {
        .log = &disk->log, .settings = &disk->settings, .people = people};
    factors_free(factors);
    factors = factors_new(&options); /* without a state file */
    assert_int_equal(factors_enrol(factors, "bob", secret), 0);
    assert_int_equal(factors_confirm(factors, "bob", code_at(0), &root, on_done, NULL),
                     FACTOR_FAILED);
    assert_int_equal(told, 1);
}

/* ---- how long it holds ------------------------------------------------------------ */

static void given_holds_for_some_minutes_where_it_was_given(void **state)
{
    struct disk *disk = *state;
    enrol(disk, "alice");
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    assert_int_equal(check(&alice), -EINPROGRESS); /* not on the disk yet */
    hear(disk, &alice);
    assert_int_equal(check(&alice), 0);
    assert_int_equal(check(&alice_here), -EINPROGRESS); /* another account of hers */
    assert_int_equal(check(&bob), -ENOENT);
    pass(15 * 60 - 1);
    assert_int_equal(check(&alice), 0);
    pass(1);
    assert_int_equal(check(&alice), -EINPROGRESS);
    disk->settings.factor_minutes = 0;
    assert_int_equal(try(&alice_here, code_at(0)), FACTOR_RIGHT);
    hear(disk, &alice_here);
    assert_int_equal(check(&alice_here), -EINPROGRESS);
}

static void a_restart_forgets_that_it_was_given(void **state)
{
    struct disk *disk = *state;
    enrol(disk, "alice");
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    hear(disk, &alice);
    restart(disk);
    assert_int_equal(check(&alice), -EINPROGRESS);
}

/* ---- wrong ones -------------------------------------------------------------------- */

static void guess(unsigned times)
{
    while (times-- > 0) {
        assert_int_equal(try(&alice, wrong_code()), FACTOR_WRONG);
    }
}

static void five_wrong_ones_lock_for_a_while(void **state)
{
    struct disk *disk = *state;
    struct factor_view view;
    enrol(disk, "alice");
    guess(4);
    assert_true(factors_view(factors, "alice", &view));
    assert_int_equal(view.tries_left, 1);
    assert_int_equal(view.locked_s, 0);
    guess(1);
    expect_why(&alice, -EBUSY, "locked for another 15 min");
    assert_int_equal(try(&alice, code_at(0)), FACTOR_LOCKED);
    assert_int_equal(try(&alice_here, code_at(0)), FACTOR_LOCKED);
    restart(disk);
    pass(15 * 60 - 1);
    assert_true(factors_view(factors, "alice", &view));
    assert_int_equal(view.locked_s, 1);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_LOCKED);
    pass(1);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    hear(disk, &alice);
    guess(4); /* five again */
    assert_int_equal(check(&alice), 0);
}

static void a_restart_gives_no_tries_back(void **state)
{
    struct disk *disk = *state;
    struct factor_view view;
    enrol(disk, "alice");
    for (unsigned i = 0; i < 5; i++) {
        guess(1);
        restart(disk);
    }
    assert_true(factors_view(factors, "alice", &view));
    assert_int_equal(view.locked_s, TRIES_LOCK_S);
}

static void twenty_a_day_lock_until_somebody_unlocks(void **state)
{
    struct disk *disk = *state;
    struct factor_view view;
    enrol(disk, "alice");
    for (unsigned i = 0; i < 3; i++) {
        guess(5);
        pass(TRIES_LOCK_S);
    }
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT); /* which does not make up for them */
    hear(disk, &alice);
    assert_int_equal(check(&alice), 0);
    guess(5);
    expect_why(&alice, -EBUSY, "pamctl totp unlock alice");
    pass(10 * 86400);
    restart(disk);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_LOCKED);
    assert_true(factors_view(factors, "alice", &view));
    assert_true(view.used_up);
    assert_int_equal(view.tries_left, 0);
    assert_int_equal(factors_unlock(factors, "alice", &root), 0);
    assert_int_equal(factors_unlock(factors, "bob", &root), -ENOENT);
    restart(disk);
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    hear(disk, &alice);
}

static void the_next_day_has_its_own_tries(void **state)
{
    struct tries tries = {0};
    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        tries_wrong(&tries, NOW_S + i * 1000);
    }
    assert_int_equal(tries_left(&tries, NOW_S + 86399), 1);
    assert_int_equal(tries_left(&tries, NOW_S + 86400), 1); /* of five in a row */
    tries_wrong(&tries, NOW_S + 86400);
    assert_false(tries_are_used_up(&tries));
    assert_int_equal(tries.of_day, 1);
    /* A clock that is set back makes no new day, and locks for no longer. */
    tries_wrong(&tries, NOW_S - 1000000);
    assert_int_equal(tries.of_day, 2);
    tries.until = NOW_S + 1000000;
    assert_int_equal(tries_locked_s(&tries, NOW_S), TRIES_LOCK_S);
}

/* ---- removing ------------------------------------------------------------------------ */

static void who_is_removed_has_none(void **state)
{
    struct disk *disk = *state;
    enrol(disk, "alice");
    assert_int_equal(try(&alice, code_at(0)), FACTOR_RIGHT);
    assert_int_equal(factors_remove(factors, "alice", &root), 0); /* while that is being written */
    hear(disk, &alice);
    assert_int_equal(check(&alice), -ENOENT);
    assert_int_equal(factors_remove(factors, "alice", &root), -ENOENT);
    restart(disk);
    assert_int_equal(check(&alice), -ENOENT);
}

static void they_are_listed_by_name(void **state)
{
    struct disk *disk = *state;
    struct factor_view view;
    const char *last = NULL;
    static const char *const NAMES[] = {"alice", "bob", "telegram:7"};
    assert_false(factors_next(factors, NULL, &view));
    enrol(disk, "telegram:7");
    enrol(disk, "alice");
    enrol(disk, "bob");
    restart(disk);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(factors_next(factors, last, &view));
        assert_string_equal(view.person, NAMES[i]);
        last = view.person;
    }
    assert_false(factors_next(factors, last, &view));
}

static void whoever_has_gone_is_not_told(void **state)
{
    struct disk *disk = *state;
    int mine;
    enrol(disk, "alice");
    assert_int_equal(factors_try(factors, &alice, code_at(0), on_done, &mine), FACTOR_RIGHT);
    factors_detach(factors, &mine);
    factors_detach(NULL, &mine);
    assert_int_equal(try(&alice, code_at(1)), FACTOR_RIGHT);
    hear(disk, &alice);
    assert_int_equal(told, 2);
    assert_int_equal(try(&alice, code_at(1) + 1 < 1000000 ? code_at(1) + 1 : 0), FACTOR_WRONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_counts_before_a_code_confirms_it),
        TEST(a_secret_that_nobody_confirms_is_forgotten),
        TEST(another_secret_takes_the_place_of_the_first),
        TEST(the_code_that_confirms_it_is_used),
        TEST(a_code_is_taken_once_also_after_a_restart),
        TEST(what_cannot_be_written_does_not_count),
        TEST(given_holds_for_some_minutes_where_it_was_given),
        TEST(a_restart_forgets_that_it_was_given),
        TEST(five_wrong_ones_lock_for_a_while),
        TEST(a_restart_gives_no_tries_back),
        TEST(twenty_a_day_lock_until_somebody_unlocks),
        TEST(the_next_day_has_its_own_tries),
        TEST(who_is_removed_has_none),
        TEST(they_are_listed_by_name),
        TEST(whoever_has_gone_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
