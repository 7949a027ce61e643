/* Which gateways are away, and what a user is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/gateways/attendance.h"

enum { START = 1000000, MINUTE = 60000 };

static struct vps_settings settings;
static struct keyring *keyring;
static struct attendance attendance;
static struct addr from;

static int set_up(void **state)
{
    (void)state;
    memset(&settings, 0, sizeof settings);
    settings.tunnel_key.count = 1; /* one key, of any gateway */
    keyring = keyring_new(&settings, NULL);
    attendance_begin(&attendance, keyring, START);
    return addr_parse("198.51.100.7", 4711, &from);
}

static int tear_down(void **state)
{
    (void)state;
    keyring_free(keyring);
    return 0;
}

static void name_keys(const char *first, const char *second)
{
    settings.tunnel_key.count = 2;
    strcpy(settings.tunnel_key.keys[0].name, first);
    strcpy(settings.tunnel_key.keys[1].name, second);
}

static void said(uint64_t now, const char *wanted)
{
    char buffer[320];
    struct text text = text_over(buffer, sizeof buffer);
    attendance_say_all(&attendance, now, &text);
    assert_string_equal(buffer, wanted);
}

static void one_that_left_is_named_with_time_and_address(void **state)
{
    (void)state;
    said(START + 3000, " None has logged in since vps-agent started 3 s ago.");
    attendance_came(&attendance, "home", &from);
    attendance_left(&attendance, "HOME", START + MINUTE);
    said(START + 6 * MINUTE, " Gateway home was last here 5 min ago, from 198.51.100.7.");
}

static void each_that_has_a_key_is_named(void **state)
{
    (void)state;
    name_keys("home", "office");
    attendance_came(&attendance, "home", &from);
    attendance_left(&attendance, "home", START);
    said(START + MINUTE, " Gateway home was last here 1 min ago, from 198.51.100.7; office has not "
                         "logged in since vps-agent started 1 min ago.");
}

static void each_that_is_away_is_listed_once(void **state)
{
    (void)state;
    name_keys("home", "office");
    attendance_came(&attendance, "home", &from);
    attendance_came(&attendance, "OFFICE", &from);
    attendance_left(&attendance, "OFFICE", START + MINUTE);
    unsigned at = 0;
    struct attendance_away away;
    assert_true(attendance_next_away(&attendance, START + 3 * MINUTE, &at, &away));
    assert_string_equal(away.name, "OFFICE");
    assert_int_equal(away.seconds, 120);
    assert_ptr_equal(away.from, &attendance.seen[1].from);
    assert_false(attendance_next_away(&attendance, START + 3 * MINUTE, &at, &away));

    at = 0;
    name_keys("new", "office");
    assert_true(attendance_next_away(&attendance, START + 3 * MINUTE, &at, &away));
    assert_true(attendance_next_away(&attendance, START + 3 * MINUTE, &at, &away));
    assert_string_equal(away.name, "new");
    assert_int_equal(away.seconds, 180);
    assert_null(away.from);
    assert_false(attendance_next_away(&attendance, START + 3 * MINUTE, &at, &away));
}

static void more_than_three_are_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "gw%u", i);
        attendance_came(&attendance, name, &from);
        attendance_left(&attendance, name, START);
    }
    said(START + 1000,
         " Gateway gw0 was last here 1 s ago, from 198.51.100.7; gw1 was last here 1 s "
         "ago, from 198.51.100.7; gw2 was last here 1 s ago, from 198.51.100.7; and 2 "
         "more.");
}

static void one_whose_key_was_taken_out_is_not_spoken_of(void **state)
{
    (void)state;
    name_keys("home", "office");
    attendance_came(&attendance, "home", &from);
    attendance_came(&attendance, "office", &from);
    attendance_left(&attendance, "home", START);
    attendance_left(&attendance, "office", START);
    settings.tunnel_key.count = 1;
    attendance_keys_changed(&attendance);
    said(START + MINUTE, " Gateway home was last here 1 min ago, from 198.51.100.7.");
    assert_false(attendance_expects(&attendance, "office", START + 1000));
}

static void a_name_that_nobody_has_is_not_explained(void **state)
{
    char buffer[100];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    name_keys("home", "office");
    assert_false(attendance_say(&attendance, "attic", START, &text));
    assert_string_equal(buffer, "");
    assert_true(attendance_say(&attendance, "Office", START + 1000, &text));
    assert_string_equal(buffer, "has not logged in since vps-agent started 1 s ago");
}

/* Only where waiting a moment is likely to help. */
static void one_is_expected_after_a_restart_of_either_side(void **state)
{
    const uint64_t late = START + ATTENDANCE_RETURN_MS;
    (void)state;
    assert_true(attendance_expects(&attendance, "", START));
    assert_true(attendance_expects(&attendance, "any", late - 1));
    assert_false(attendance_expects(&attendance, "", late));
    name_keys("home", "office");
    assert_true(attendance_expects(&attendance, "office", START));
    assert_false(attendance_expects(&attendance, "attic", START));
    attendance_came(&attendance, "home", &from);
    attendance_left(&attendance, "home", late);
    assert_true(attendance_expects(&attendance, "", late));
    assert_true(attendance_expects(&attendance, "HOME", late + ATTENDANCE_RETURN_MS - 1));
    assert_false(attendance_expects(&attendance, "home", late + ATTENDANCE_RETURN_MS));
    assert_false(attendance_expects(&attendance, "office", late));
}

static void the_one_that_left_first_makes_room(void **state)
{
    char name[16], buffer[100];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    for (unsigned i = 0; i < ATTENDANCE_MAX; i++) {
        snprintf(name, sizeof name, "gw%u", i);
        attendance_came(&attendance, name, &from);
    }
    attendance_came(&attendance, "more", &from); /* all are here: there is nothing to say of it */
    assert_false(attendance_say(&attendance, "more", START, &text));
    attendance_left(&attendance, "gw7", START + 2);
    attendance_left(&attendance, "gw3", START + 1);
    attendance_came(&attendance, "more", &from);
    assert_true(attendance_say(&attendance, "more", START, &text));
    assert_false(attendance_say(&attendance, "gw3", START, &text));
    assert_true(attendance_say(&attendance, "gw7", START + 2, &text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_left_is_named_with_time_and_address),
        TEST(each_that_has_a_key_is_named),
        TEST(each_that_is_away_is_listed_once),
        TEST(more_than_three_are_counted),
        TEST(one_whose_key_was_taken_out_is_not_spoken_of),
        TEST(a_name_that_nobody_has_is_not_explained),
        TEST(one_is_expected_after_a_restart_of_either_side),
        TEST(the_one_that_left_first_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
