/* What clocks show in some places of the world, against the C library's own arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "vps/policy/hours.h"
#include "vps/policy/zone.h"

/* By file, where this machine has them, and by rule. */
static const char *const ZONES[] = {
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "Asia/Tehran",
    "Europe/Dublin",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "<+0330>-3:30",
    "EST5EDT,M3.2.0,M11.1.0",
    "XXX3YYY,J60/0,J300",
    "XXX-5YYY,59/12,299/25:30:00",
};

static int32_t expected(int64_t at)
{
    time_t when = (time_t)at;
    struct tm tm;
    localtime_r(&when, &tm);
    return (int32_t)tm.tm_gmtoff;
}

static void check(const char *name)
{
    struct zone *zone = NULL;
    struct why why = {""};
    if (zone_new(ZONE_FOLDER, name, &zone, &why) < 0) {
        print_message("this machine does not have %s\n", name);
        return;
    }
    setenv("TZ", name, 1);
    tzset();
    /* Every five hours and a bit, from 1975 into what only the rule says. */
    for (int64_t at = INT64_C(157766400); at < INT64_C(2840140800); at += 18061) {
        if (zone_offset(zone, at) != expected(at)) {
            fail_msg("%s at %lld: %d, not %d", name, (long long)at, (int)zone_offset(zone, at),
                     (int)expected(at));
        }
    }
    zone_free(zone);
}

static void test_clocks_are_what_the_system_makes_of_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ZONES / sizeof *ZONES; i++) {
        check(ZONES[i]);
    }
}

static void test_a_zone_that_is_not_there_is_refused(void **state)
{
    static const char *const NAMES[] = {"Europe/Berln",
                                        "",
                                        "/etc/passwd",
                                        "../etc/passwd",
                                        "CET",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M1.1.0",
                                        "CET-1CEST,M3.5.0,M10.5.0/3 ",
                                        "Europe"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct zone *zone = NULL;
        struct why why = {""};
        if (zone_new("/nonexistent", NAMES[i], &zone, &why) == 0) {
            fail_msg("\"%s\" was taken", NAMES[i]);
        }
    }
}

/* A file that was cut off, or is something else. */
static void test_a_damaged_file_is_refused(void **state)
{
    uint8_t bytes[4096];
    struct zone *zone = NULL;
    FILE *file = fopen(ZONE_FOLDER "/Europe/Berlin", "r");
    (void)state;
    if (!file) {
        skip();
    }
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1);
        for (size_t i = 0; i < cut; i++) {
            copy[i] = bytes[i];
        }
        if (zone_read(copy, cut, &zone) == 0) {
            fail_msg("the first %zu bytes of %zu were taken", cut, len);
        }
        free(copy);
    }
}

static void test_days_are_counted_as_the_calendar_does(void **state)
{
    (void)state;
    for (int64_t at = -INT64_C(2208988800); at < INT64_C(7258118400); at += 86399) {
        time_t when = (time_t)at;
        struct tm tm;
        gmtime_r(&when, &tm);
        struct wall_clock clock = wall_clock_of(at);
        assert_int_equal(clock.year, tm.tm_year + 1900);
        assert_int_equal(clock.month, tm.tm_mon + 1);
        assert_int_equal(clock.day, tm.tm_mday);
        assert_int_equal(clock.weekday, (tm.tm_wday + 6) % 7);
        assert_int_equal(clock.minute, tm.tm_hour * 60 + tm.tm_min);
        assert_true(wall_clock_day(clock.year, clock.month, clock.day) <= at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_are_what_the_system_makes_of_them),
        cmocka_unit_test(test_a_zone_that_is_not_there_is_refused),
        cmocka_unit_test(test_a_damaged_file_is_refused),
        cmocka_unit_test(test_days_are_counted_as_the_calendar_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
