/* A page of OpenMetrics, as a strict reader wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "base/usage.h"

static void a_page_is_families_and_an_end(void **state)
{
    struct metrics metrics = {0};
    (void)state;
    metrics_family(&metrics, METRICS_INFO, "x_build", "The program.");
    metrics_add(&metrics, 1, "version", "1.0", NULL);
    metrics_one(&metrics, METRICS_GAUGE, "x_open", "How many.", 3);
    metrics_family(&metrics, METRICS_COUNTER, "x_bytes", "By direction.");
    metrics_add(&metrics, UINT64_MAX, "to", "a", "of", "b", NULL);
    metrics_add_us(&metrics, 1500042, "to", "c", NULL);
    char *page = metrics_end(&metrics);
    assert_string_equal(page, "# HELP x_build The program.\n"
                              "# TYPE x_build info\n"
                              "x_build_info{version=\"1.0\"} 1\n"
                              "# HELP x_open How many.\n"
                              "# TYPE x_open gauge\n"
                              "x_open 3\n"
                              "# HELP x_bytes By direction.\n"
                              "# TYPE x_bytes counter\n"
                              "x_bytes_total{to=\"a\",of=\"b\"} 18446744073709551615\n"
                              "x_bytes_total{to=\"c\"} 1.500042\n"
                              "# EOF\n");
    free(page);
}

/* A gateway's name is checked elsewhere; a page stays whole whatever a label holds. */
static void labels_and_help_are_escaped(void **state)
{
    struct metrics metrics = {0};
    (void)state;
    metrics_family(&metrics, METRICS_GAUGE, "x", "a \\ \"b\"\nc");
    metrics_add(&metrics, 1, "name", "\"} 2\nevil \\", "empty", "", NULL);
    char *page = metrics_end(&metrics);
    assert_string_equal(page, "# HELP x a \\\\ \\\"b\\\"\\nc\n"
                              "# TYPE x gauge\n"
                              "x{name=\"\\\"} 2\\nevil \\\\\",empty=\"\"} 1\n"
                              "# EOF\n");
    free(page);
}

static void a_page_grows(void **state)
{
    enum { SAMPLES = 5000 };
    struct metrics metrics = {0};
    (void)state;
    metrics_family(&metrics, METRICS_GAUGE, "x", "Many.");
    for (uint64_t i = 0; i < SAMPLES; i++) {
        metrics_add(&metrics, i, "label", "a value that is not short", NULL);
    }
    char *page = metrics_end(&metrics);
    unsigned lines = 0;
    for (const char *c = page; *c; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, SAMPLES + 3);
    assert_non_null(strstr(page, "short\"} 4999\n# EOF\n"));
    free(page);
}

static uint64_t value_of(const char *page, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(page, line);
    if (!found) {
        fail_msg("no %s in:\n%s", name, page);
        return 0;
    }
    return strtoull(found + strlen(line), NULL, 10);
}

static void usage_is_of_this_process_and_of_now(void **state)
{
    struct usage usage = usage_open();
    struct metrics metrics = {0};
    (void)state;
    usage_measure(&usage, &metrics);
    char *before = metrics_end(&metrics);
    int more[2];
    assert_int_equal(pipe(more), 0);
    usage_measure(&usage, &metrics);
    char *after = metrics_end(&metrics);
    assert_int_equal(value_of(after, "process_open_fds"), value_of(before, "process_open_fds") + 2);
    assert_in_range(value_of(after, "process_resident_memory_bytes"), 100000, 4000000000);
    assert_true(value_of(after, "process_virtual_memory_bytes") >
                value_of(after, "process_resident_memory_bytes"));
    assert_true(value_of(after, "process_start_time_seconds") > 1700000000);
    assert_true(value_of(after, "process_max_fds") > 0);
    close(more[0]);
    close(more[1]);
    free(before);
    free(after);
    usage_close(&usage);
    usage_close(&usage);
}

/* As in a root directory without /proc. */
static void what_cannot_be_known_is_left_out(void **state)
{
    struct usage usage = {.memory = -1};
    struct metrics metrics = {0};
    (void)state;
    usage_measure(&usage, &metrics);
    char *page = metrics_end(&metrics);
    assert_null(strstr(page, "memory"));
    assert_null(strstr(page, "open_fds"));
    assert_non_null(strstr(page, "process_cpu_seconds_total "));
    free(page);
    usage_close(&usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_families_and_an_end),
        cmocka_unit_test(labels_and_help_are_escaped),
        cmocka_unit_test(a_page_grows),
        cmocka_unit_test(usage_is_of_this_process_and_of_now),
        cmocka_unit_test(what_cannot_be_known_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
