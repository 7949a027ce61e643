/* Which machine has which MAC: what is learnt, what changes, and what is left after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "disk.h"
#include "vps/waking/macs.h"

enum { DAY = 24 * 3600, NOW = 1795694400 };

static bool learn(struct macs *macs, const char *gateway, const char *host, uint8_t last,
                  int64_t seen)
{
    struct mac_entry entry = {.mac = {2, 0, 0, 0, 0, last}, .port = 3389, .seen = seen};
    snprintf(entry.gateway, sizeof entry.gateway, "%s", gateway);
    snprintf(entry.host, sizeof entry.host, "%s", host);
    return macs_learn(macs, &entry);
}

static void test_a_machine_is_known_by_its_gateway_and_host(void **state)
{
    struct macs *macs = macs_new(NULL);
    (void)state;
    assert_null(macs_find(macs, "home", "HOME-PC"));
    assert_true(learn(macs, "home", "HOME-PC", 1, NOW));
    assert_true(learn(macs, "office", "HOME-PC", 2, NOW));
    assert_false(learn(macs, "Home", "home-pc", 1, NOW + 1));
    assert_int_equal(macs_find(macs, "home", "home-PC")->mac[5], 1);
    assert_int_equal(macs_find(macs, "office", "home-PC")->mac[5], 2);
    assert_null(macs_find(macs, "home", "other"));
    macs_free(macs);
}

static void test_another_card_takes_its_place(void **state)
{
    struct macs *macs = macs_new(NULL);
    (void)state;
    learn(macs, "home", "pc", 1, NOW);
    assert_false(learn(macs, "home", "pc", 1, NOW + 3 * DAY));
    assert_int_equal(macs_find(macs, "home", "pc")->since, NOW);
    assert_int_equal(macs_find(macs, "home", "pc")->seen, NOW + 3 * DAY);
    assert_true(learn(macs, "home", "pc", 2, NOW + 4 * DAY));
    assert_int_equal(macs_find(macs, "home", "pc")->mac[5], 2);
    assert_int_equal(macs_find(macs, "home", "pc")->since, NOW + 4 * DAY);
    assert_non_null(macs_at(macs, 0));
    assert_null(macs_at(macs, 1));
    macs_free(macs);
}

static void test_what_is_nobodys_own_is_not_kept(void **state)
{
    struct macs *macs = macs_new(NULL);
    struct mac_entry none = {.gateway = "home", .host = "pc", .port = 22, .seen = NOW};
    struct mac_entry group = {
        .gateway = "home", .host = "pc", .mac = {1, 0, 0x5e, 0, 0, 1}, .port = 22, .seen = NOW};
    (void)state;
    assert_false(macs_learn(macs, &none));
    assert_false(macs_learn(macs, &group));
    assert_null(macs_at(macs, 0));
    macs_free(macs);
}

static void test_the_longest_silent_makes_room(void **state)
{
    struct macs *macs = macs_new(NULL);
    char host[16];
    (void)state;
    for (unsigned i = 0; i < MACS_MAX; i++) {
        snprintf(host, sizeof host, "pc%u", i);
        learn(macs, "home", host, 1, i == 7 ? NOW - DAY : NOW + (int64_t)i);
    }
    assert_true(learn(macs, "home", "one-more", 2, NOW));
    assert_null(macs_find(macs, "home", "pc7"));
    assert_non_null(macs_find(macs, "home", "pc8"));
    assert_non_null(macs_find(macs, "home", "one-more"));
    assert_null(macs_at(macs, MACS_MAX));
    macs_free(macs);
}

static void test_after_a_restart(void **state)
{
    struct disk *disk = *state;
    struct macs *macs;
    disk_open(disk);
    macs = macs_new(disk->store);
    disk_write(disk);
    learn(macs, "home", "HOME-PC", 1, NOW);
    learn(macs, "home", "nas", 2, NOW);
    learn(macs, "home", "home-pc", 3, NOW + DAY);
    macs_free(macs);
    disk_close(disk);
    disk_open(disk);
    macs = macs_new(disk->store);
    assert_int_equal(macs_find(macs, "home", "HOME-PC")->mac[5], 3);
    assert_int_equal(macs_find(macs, "home", "HOME-PC")->since, NOW + DAY);
    assert_int_equal(macs_find(macs, "home", "HOME-PC")->port, 3389);
    assert_int_equal(macs_find(macs, "home", "nas")->mac[5], 2);
    assert_null(macs_at(macs, 2));
    macs_free(macs);
    disk_close(disk);
}

/* Whatever somebody wrote into the file. */
static void test_what_is_no_mac_in_the_file(void **state)
{
    struct disk *disk = *state;
    static const char *const ROWS[] = {"('home', 'a', 'nonsense', 22, 0, 0)",
                                       "('home', 'b', '01:00:5e:00:00:01', 22, 0, 0)",
                                       "('home', 'c', '02:00:00:00:00:01', 0, 0, 0)",
                                       "('home', 'd', '02:00:00:00:00:01', 70000, 0, 0)",
                                       "('home', 'no host!', '02:00:00:00:00:01', 22, 0, 0)",
                                       "('-', 'e', '02:00:00:00:00:01', 22, 0, 0)"};
    char sql[sizeof ROWS / sizeof *ROWS][160];
    disk_open(disk);
    struct macs *macs = macs_new(disk->store);
    disk_write(disk);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        snprintf(sql[i], sizeof sql[i], "INSERT INTO mac VALUES%s", ROWS[i]);
        const struct statement statement = {.sql = sql[i]};
        assert_int_equal(store_write(disk->store, &statement, NULL, NULL), 0);
    }
    macs_free(macs);
    disk_close(disk);
    disk_open(disk);
    macs = macs_new(disk->store);
    assert_null(macs_at(macs, 0));
    macs_free(macs);
    disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_machine_is_known_by_its_gateway_and_host),
        cmocka_unit_test(test_another_card_takes_its_place),
        cmocka_unit_test(test_what_is_nobodys_own_is_not_kept),
        cmocka_unit_test(test_the_longest_silent_makes_room),
        cmocka_unit_test_setup_teardown(test_after_a_restart, disk_begin, disk_end),
        cmocka_unit_test_setup_teardown(test_what_is_no_mac_in_the_file, disk_begin, disk_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
