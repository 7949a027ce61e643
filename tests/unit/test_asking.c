/*
 * About whom the user is asked, and when. Each case is a course of events: clients come and
 * stay, and the questions are written down as they are asked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/asking.h"

enum { CLIENTS_MAX = 40, START_MS = 5000000 };

struct course {
    struct asking asking;
    struct candidate waiting[CLIENTS_MAX];
    char hosts[CLIENTS_MAX][ADDR_HOST_MAX];
    unsigned count;
    uint64_t now_ms;
    char told[4000]; /* "1s 9.9.9.1, 11s 9.9.9.2, " */
};

static void comes(struct course *course, const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1, &addr), 0);
    unsigned i = course->count++;
    assert_in_range(i, 0, CLIENTS_MAX - 1);
    strcpy(course->hosts[i], host);
    course->waiting[i] = (struct candidate){origin_of(&addr), course->now_ms};
}

static void goes(struct course *course, unsigned i)
{
    course->count--;
    memmove(&course->waiting[i], &course->waiting[i + 1],
            (course->count - i) * sizeof course->waiting[0]);
    memmove(course->hosts[i], course->hosts[i + 1], (course->count - i) * ADDR_HOST_MAX);
}

/* As the lobby does: asks when the time has come, and sleeps exactly as long as it is told to. */
static void run_until(struct course *course, unsigned second)
{
    uint64_t end = START_MS + (uint64_t)second * 1000, wait;
    while (course->now_ms <= end) {
        int next = asking_next(&course->asking, course->waiting, course->count, course->now_ms,
                               false, &wait);
        if (next >= 0) {
            size_t len = strlen(course->told);
            snprintf(course->told + len, sizeof course->told - len, "%us %s, ",
                     (unsigned)((course->now_ms - START_MS) / 1000), course->hosts[next]);
            asking_note(&course->asking, &course->waiting[next].from, course->now_ms);
            goes(course, (unsigned)next);
        } else {
            assert_true(wait > 0);
            course->now_ms = wait < end + 1 - course->now_ms ? course->now_ms + wait : end + 1;
        }
    }
    course->now_ms = end;
}

static struct course begin(void)
{
    return (struct course){.now_ms = START_MS};
}

static void nobody_is_asked_about_who_does_not_stay(void **state)
{
    struct course course = begin();
    (void)state;
    comes(&course, "1.1.1.1");
    uint64_t wait;
    assert_int_equal(asking_next(&course.asking, course.waiting, 1, START_MS, false, &wait),
                     -EAGAIN);
    assert_int_equal(wait, ASKING_STAY_MS);
    run_until(&course, 10);
    assert_string_equal(course.told, "1s 1.1.1.1, ");
}

static void nobody_waits_for_nothing(void **state)
{
    struct course course = begin();
    uint64_t wait;
    (void)state;
    assert_int_equal(asking_next(&course.asking, NULL, 0, START_MS, false, &wait), -EAGAIN);
    assert_true(wait == UINT64_MAX);
}

static void one_network_has_three_and_then_one_in_half_a_minute(void **state)
{
    struct course course = begin();
    (void)state;
    for (unsigned i = 1; i <= 6; i++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "9.9.9.%u", i);
        comes(&course, host);
    }
    run_until(&course, 70);
    assert_string_equal(course.told, "1s 9.9.9.1, 1s 9.9.9.2, 1s 9.9.9.3, 31s 9.9.9.4, "
                                     "61s 9.9.9.5, ");
}

static void one_provider_has_four_and_then_one_in_a_quarter(void **state)
{
    struct course course = begin();
    (void)state;
    for (unsigned i = 1; i <= 6; i++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "2001:db8:%x::1", i);
        comes(&course, host);
    }
    run_until(&course, 20);
    assert_string_equal(course.told, "1s 2001:db8:1::1, 1s 2001:db8:2::1, 1s 2001:db8:3::1, "
                                     "1s 2001:db8:4::1, 16s 2001:db8:5::1, ");
}

/* A1: however many were asked about, and however many wait before him. */
static void the_user_is_next_when_a_crowd_took_all_there_was(void **state)
{
    struct course course = begin();
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "9.%u.%u.1", i % 2, i);
        comes(&course, host);
    }
    run_until(&course, 30);
    comes(&course, "1.1.1.1");
    course.told[0] = '\0';
    run_until(&course, 41);
    assert_non_null(strstr(course.told, "1.1.1.1"));
}

static void who_is_alone_goes_before_those_of_a_crowd_that_were_not_asked_about(void **state)
{
    struct course course = begin();
    (void)state;
    for (unsigned i = 0; i < 40; i++) { /* of ten providers: five are asked about at once */
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "%u.0.%u.1", 20 + i % 10, i / 10);
        comes(&course, host);
    }
    run_until(&course, 2);
    goes(&course, 0);
    comes(&course, "1.1.1.1");
    course.told[0] = '\0';
    run_until(&course, 12);
    assert_string_equal(course.told, "11s 1.1.1.1, ");
}

static void one_network_alone_never_takes_the_last_question(void **state)
{
    struct course course = begin();
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "9.9.9.%u", i);
        comes(&course, host);
    }
    run_until(&course, 5);
    comes(&course, "1.1.1.1");
    course.told[0] = '\0';
    run_until(&course, 6);
    assert_string_equal(course.told, "6s 1.1.1.1, ");
}

static void nobody_is_asked_more_than_he_bears(void **state)
{
    struct course course = begin();
    unsigned asked = 0, in_ten_minutes = 0;
    (void)state;
    for (unsigned second = 1; second <= 3600; second++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "%u.%u.9.9", 1 + second % 200, second / 200);
        if (course.count == CLIENTS_MAX) {
            goes(&course, 0);
        }
        comes(&course, host);
        course.told[0] = '\0';
        run_until(&course, second);
        for (const char *at = course.told; (at = strstr(at, ", ")); at += 2) {
            asked++;
        }
        if (second == 600) {
            in_ten_minutes = asked;
        }
    }
    assert_in_range(in_ten_minutes, 10, 40);
    assert_in_range(asked, 50, 85);
}

static void at_once_means_at_once_and_still_in_order(void **state)
{
    struct course course = begin();
    uint64_t wait;
    (void)state;
    for (unsigned i = 1; i <= 9; i++) {
        char host[ADDR_HOST_MAX];
        snprintf(host, sizeof host, "9.9.9.%u", i);
        comes(&course, host);
    }
    run_until(&course, 2); /* three were asked about */
    comes(&course, "1.1.1.1");
    int next = asking_next(&course.asking, course.waiting, course.count, course.now_ms, true,
                           &wait);
    assert_in_range(next, 0, CLIENTS_MAX - 1);
    assert_string_equal(course.hosts[next], "1.1.1.1");
}

static void the_memory_is_bounded(void **state)
{
    struct course course = begin();
    struct addr addr;
    (void)state;
    assert_int_equal(addr_parse("1.1.1.1", 1, &addr), 0);
    struct origin about = origin_of(&addr);
    for (unsigned i = 0; i < 3 * ASKING_MEMORY; i++) {
        asking_note(&course.asking, &about, START_MS + i);
    }
    assert_int_equal(course.asking.count, ASKING_MEMORY);
    assert_int_equal(course.asking.asked[ASKING_MEMORY - 1].at_ms,
                     START_MS + 3 * ASKING_MEMORY - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_asked_about_who_does_not_stay),
        cmocka_unit_test(nobody_waits_for_nothing),
        cmocka_unit_test(one_network_has_three_and_then_one_in_half_a_minute),
        cmocka_unit_test(one_provider_has_four_and_then_one_in_a_quarter),
        cmocka_unit_test(the_user_is_next_when_a_crowd_took_all_there_was),
        cmocka_unit_test(who_is_alone_goes_before_those_of_a_crowd_that_were_not_asked_about),
        cmocka_unit_test(one_network_alone_never_takes_the_last_question),
        cmocka_unit_test(nobody_is_asked_more_than_he_bears),
        cmocka_unit_test(at_once_means_at_once_and_still_in_order),
        cmocka_unit_test(the_memory_is_bounded),
    };
    return cmocka_run_group_tests_name("asking", tests, NULL, NULL);
}
