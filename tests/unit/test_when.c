#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/when.h"

/* 2026-11-26T14:00:00.500Z */
static const int64_t NOW_MS = 1795701600500;
enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
static const int64_t MIDNIGHT_MS = 1795651200000;

static void test_reads(void **state)
{
    static const struct {
        const char *text;
        int64_t begins_ms, ends_ms;
    } CASES[] = {
        {"2026-11-26", 1795651200000, 1795651200000 + DAY_MS},
        {"2026-11-26 14:00", 1795701600000, 1795701600000 + 60000},
        {"2026-11-26T14:00", 1795701600000, 1795701600000 + 60000},
        {"2026-11-26T14:00Z", 1795701600000, 1795701600000 + 60000},
        {"2026-11-26 14:00:05", 1795701605000, 1795701605000 + 1000},
        {"2026-11-26T14:00:05.123Z", 1795701605123, 1795701605123 + 1},
        {"2024-02-29", 1709164800000, 1709164800000 + DAY_MS},
        {"1970-01-01", 0, DAY_MS},
        {"12h", 1795701600500 - 12 * HOUR_MS, 1795701600500 - 12 * HOUR_MS},
        {"7d", 1795701600500 - 7 * (int64_t)DAY_MS, 1795701600500 - 7 * (int64_t)DAY_MS},
        {"90s", 1795701600500 - 90000, 1795701600500 - 90000},
        {"0m", 1795701600500, 1795701600500},
        {"2w", 1795701600500 - 14 * (int64_t)DAY_MS, 1795701600500 - 14 * (int64_t)DAY_MS},
    };
    (void)state;
    assert_true(MIDNIGHT_MS + 14 * HOUR_MS + 500 == NOW_MS);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t begins_ms = -1, ends_ms = -1;
        assert_int_equal(when_parse(CASES[i].text, NOW_MS, false, &begins_ms), 0);
        assert_int_equal(when_parse(CASES[i].text, NOW_MS, true, &ends_ms), 0);
        assert_true(begins_ms == CASES[i].begins_ms && ends_ms == CASES[i].ends_ms);
    }
}

static void test_refuses(void **state)
{
    static const char *const CASES[] = {
        "",
        "yesterday",
        "7",
        "d",
        "7x",
        "-7d",
        "7d ",
        "1234567d",
        "2026-11-31",
        "2026-13-01",
        "2026-00-10",
        "2026-02-29",
        "2026-11-26 24:00",
        "2026-11-26 14:60",
        "26-11-2026",
        "2026-11-26 14",
        "2026-11-26 14:00 CET",
        " 2026-11-26",
        "2026-11-26x",
        "2026-1-2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t at_ms = 42;
        assert_int_equal(when_parse(CASES[i], NOW_MS, false, &at_ms), -EINVAL);
        assert_true(at_ms == 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads),
                                       cmocka_unit_test(test_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
