/* Which comings and goings of gateways are told, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/chat/absences.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, START = 1000000 };

static struct absences absences;
static struct addr from;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    absences = (struct absences){0};
    now = START;
    return addr_parse("198.51.100.7", 4711, &from);
}

static void came(const char *name)
{
    absences_came(&absences, name, &from, now);
}

static void went(const char *name)
{
    absences_went(&absences, name, now);
}

/* It has been there for long. */
static void have(const char *name)
{
    came(name);
    now += 20 * MINUTE;
}

/* This is told now, and only this. */
static void expect(enum absence_kind kind, const char *name, uint64_t seconds)
{
    struct absence_tiding tiding;
    assert_true(absences_due(&absences) <= now);
    assert_true(absences_next(&absences, now, &tiding));
    assert_int_equal(tiding.kind, kind);
    assert_string_equal(tiding.name, name);
    assert_int_equal(tiding.seconds, seconds);
    assert_false(absences_next(&absences, now, &tiding));
}

static void expect_nothing(void)
{
    struct absence_tiding tiding;
    assert_true(absences_due(&absences) > now);
    assert_false(absences_next(&absences, now, &tiding));
}

static void one_that_goes_is_told_after_a_while_and_so_is_its_return(void **state)
{
    (void)state;
    have("home");
    expect_nothing();
    went("HOME");
    now += ABSENCE_TOLD_MS - 1;
    expect_nothing();
    assert_true(absences_due(&absences) == now + 1);
    now += 1;
    expect(ABSENCE_GONE, "home", ABSENCE_TOLD_MS / SECOND);
    now += 2 * MINUTE;
    expect_nothing();
    assert_true(absences_due(&absences) == UINT64_MAX);
    came("home");
    now += 2 * SECOND; /* whoever tells it may be late */
    expect(ABSENCE_BACK, "home", 2 * 60 + ABSENCE_TOLD_MS / SECOND);
    now += 60 * MINUTE;
    expect_nothing();
}

static void a_short_absence_is_not_told(void **state)
{
    (void)state;
    have("home");
    for (unsigned i = 0; i < 10; i++) {
        went("home");
        now += ABSENCE_TOLD_MS - 1;
        expect_nothing();
        came("home");
        now += ABSENCE_WINDOW_MS;
        expect_nothing();
    }
}

static void a_login_in_the_place_of_another_is_nothing(void **state)
{
    (void)state;
    have("home");
    for (unsigned i = 0; i < 10; i++) {
        came("home");
        now += SECOND;
        expect_nothing();
    }
}

/* However long or short it is away each time. */
static void one_that_comes_and_goes_is_told_of_once(void **state)
{
    static const unsigned AWAY[] = {SECOND, ABSENCE_TOLD_MS + SECOND};
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct absence_tiding tiding;
        unsigned told = 0, unsteady = 0;
        absences = (struct absences){0};
        have("home");
        for (unsigned i = 0; i < 100; i++) {
            went("home");
            for (unsigned s = 0; s < AWAY[k]; s += SECOND) {
                now += SECOND;
                told += absences_next(&absences, now, &tiding);
                unsteady += tiding.kind == ABSENCE_UNSTEADY;
                tiding.kind = ABSENCE_NONE;
            }
            came("home");
            told += absences_next(&absences, now, &tiding);
            unsteady += tiding.kind == ABSENCE_UNSTEADY;
            tiding.kind = ABSENCE_NONE;
            now += MINUTE;
        }
        assert_int_equal(unsteady, 1);
        assert_int_equal(told, k == 0 ? 1 : 2 * (ABSENCE_MANY - 1) + 1);
        now += ABSENCE_WINDOW_MS - MINUTE - 1;
        expect_nothing();
        now += 1;
        expect(ABSENCE_STEADY, "home", ABSENCE_WINDOW_MS / SECOND);
        now += MINUTE;
        went("home"); /* and from here on all is as before */
        expect_nothing();
        now += ABSENCE_TOLD_MS;
        expect(ABSENCE_GONE, "home", ABSENCE_TOLD_MS / SECOND);
    }
}

static void one_that_came_and_went_may_end_away(void **state)
{
    (void)state;
    have("home");
    for (unsigned i = 0; i < ABSENCE_MANY; i++) {
        now += SECOND;
        came("home");
        now += SECOND;
        went("home");
    }
    expect(ABSENCE_UNSTEADY, "home", 0);
    now += ABSENCE_WINDOW_MS;
    expect(ABSENCE_GONE, "home", ABSENCE_WINDOW_MS / SECOND);
    came("home");
    expect(ABSENCE_BACK, "home", ABSENCE_WINDOW_MS / SECOND);
}

static void one_that_does_not_come_after_the_start_is_told(void **state)
{
    (void)state;
    now += ABSENCE_START_MS;
    came("office");
    absences_missed(&absences, "home", START);
    absences_missed(&absences, "office", START); /* just in time */
    expect(ABSENCE_NEVER, "home", ABSENCE_START_MS / SECOND);
    now += MINUTE;
    came("home");
    expect(ABSENCE_BACK, "home", ABSENCE_START_MS / SECOND + 60);
}

static void one_that_was_removed_is_not_told_of(void **state)
{
    (void)state;
    have("home");
    have("office");
    went("home");
    went("office");
    absences_forget(&absences, "home");
    absences_forget(&absences, "attic");
    now += ABSENCE_TOLD_MS;
    expect(ABSENCE_GONE, "office", ABSENCE_TOLD_MS / SECOND);
}

static void of_too_many_some_are_not_told_of(void **state)
{
    struct absence_tiding tiding;
    unsigned told = 0;
    (void)state;
    for (unsigned i = 0; i < ABSENCES_MAX + 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "gw%u", i);
        came(name);
        went(name);
    }
    now += ABSENCE_TOLD_MS;
    while (absences_next(&absences, now, &tiding)) {
        told++;
    }
    assert_int_equal(told, ABSENCES_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_goes_is_told_after_a_while_and_so_is_its_return),
        TEST(a_short_absence_is_not_told),
        TEST(a_login_in_the_place_of_another_is_nothing),
        TEST(one_that_comes_and_goes_is_told_of_once),
        TEST(one_that_came_and_went_may_end_away),
        TEST(one_that_does_not_come_after_the_start_is_told),
        TEST(one_that_was_removed_is_not_told_of),
        TEST(of_too_many_some_are_not_told_of),
    };
    return cmocka_run_group_tests_name("absences", tests, NULL, NULL);
}
