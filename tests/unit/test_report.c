/* What an audit comes to, and the page that shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/report.h"

static const int64_t NOON = 1795694400000; /* 2026-11-26 12:00 UTC */
enum { DAY = 24 * 3600 * 1000, HOUR = 3600 };

static struct report *report;
static char *page;

static int set_up(void **state)
{
    (void)state;
    report = report_new();
    return report ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    report_free(report);
    free(page);
    page = NULL;
    return 0;
}

static void add(json_t *row)
{
    assert_non_null(row);
    assert_int_equal(report_add(report, row), 0);
    json_decref(row);
}

static void add_ended(int64_t at_ms, const char *name, const char *target, int seconds, int bytes)
{
    add(json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:i}", "at_ms",
                  (json_int_t)at_ms, "what", "session.ended", "person", "telegram:42", "name", name,
                  "target", target, "gateway", "home", "kind", "ssh", "seconds", seconds,
                  "to_target", bytes, "to_client", 0, "word", "closed", "connections",
                  seconds > 0));
}

static void write_page(int64_t from_ms)
{
    size_t size;
    FILE *stream = open_memstream(&page, &size);
    const struct report_frame frame = {
        .host = "vps.example.org", .from_ms = from_ms, .until_ms = NOON, .made_ms = NOON};
    report_write(report, &frame, stream);
    fclose(stream);
}

static unsigned count_of(const char *part)
{
    unsigned count = 0;
    for (const char *at = page; (at = strstr(at, part)); at++) {
        count++;
    }
    return count;
}

static void assert_has(const char *part)
{
    if (!strstr(page, part)) {
        fail_msg("no %s in\n%s", part, page);
    }
}

static void sessions_are_summed_up(void **state)
{
    (void)state;
    add_ended(NOON - 2 * (int64_t)DAY, "alice", "nas:22", 2 * HOUR, 1000);
    add_ended(NOON, "bob", "nas:22", 3 * HOUR, 500);
    add_ended(NOON, "bob", "office-pc:3389", 0, 0);
    write_page(0);
    assert_has("<b>3</b><span>sessions</span>");
    assert_has("<b>1</b><span>never connected to</span>");
    assert_has("<b>2</b><span>people</span>");
    assert_has("<b>5 h</b><span>connected</span>");
    assert_has("2026-11-24: 1 sessions, 2 h");
    assert_has("2026-11-25: 0 sessions"); /* there is no gap */
    assert_has("2026-11-26: 2 sessions, 3 h");
    assert_true(strstr(page, ">bob<") < strstr(page, ">alice<")); /* the most first */
    assert_int_equal(count_of(">nas:22<"), 1 + 2); /* among the machines, and the longest */
}

static void the_longest_are_ten_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        char target[32];
        snprintf(target, sizeof target, "m%d", i * 7 % 25);
        add_ended(NOON, "alice", target, (i * 7 % 25 + 1) * HOUR, 0);
    }
    write_page(0);
    const char *longest = strstr(page, "The longest");
    assert_non_null(longest);
    const char *first = strstr(longest, "<td>m24</td>"), *tenth = strstr(longest, "<td>m15</td>");
    assert_non_null(first);
    assert_non_null(tenth);
    assert_true(first < tenth);
    assert_null(strstr(longest, "<td>m14</td>"));
    assert_has(">13 others<"); /* of the machines */
}

static void what_people_wrote_is_text(void **state)
{
    (void)state;
    add_ended(NOON, "<script>alert(1)</script>", "a&b\"c:22", HOUR, 0);
    add(json_pack("{s:I, s:s, s:s, s:s}", "at_ms", (json_int_t)NOON, "what", "session.refused",
                  "person", "telegram:7", "why", "No rule <b>allows</b> it."));
    write_page(0);
    assert_null(strstr(page, "<script"));
    assert_has("&lt;script&gt;alert(1)&lt;/script&gt;");
    assert_has("a&amp;b&quot;c:22");
    assert_has("No rule &lt;b&gt;allows&lt;/b&gt; it.");
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    assert_null(strstr(page, "src="));
}

static void strangers_and_refusals_are_counted(void **state)
{
    (void)state;
    add(json_pack("{s:I, s:s, s:s, s:i}", "at_ms", (json_int_t)NOON, "what", "session.visitors",
                  "target", "nas:22", "count", 40));
    add(json_pack("{s:I, s:s, s:s, s:i}", "at_ms", (json_int_t)NOON, "what", "session.visitors",
                  "target", "nas:22", "count", 2));
    write_page(NOON - 30 * (int64_t)DAY);
    assert_has("<b>42</b><span>strangers turned away</span>");
    assert_has("No session ended in this time.");
}

static void a_long_time_is_not_too_many_bars(void **state)
{
    (void)state;
    add_ended(NOON - 1000 * (int64_t)DAY, "alice", "nas:22", HOUR, 0);
    add_ended(NOON, "alice", "nas:22", HOUR, 0);
    write_page(0);
    assert_has("per 11 days");
    assert_in_range(count_of("<rect "), 90, 100);
}

static void nothing_is_a_page(void **state)
{
    (void)state;
    write_page(0);
    assert_has("No session ended in this time.");
    assert_has("</html>");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sessions_are_summed_up),           TEST(the_longest_are_ten_in_order),
        TEST(what_people_wrote_is_text),        TEST(strangers_and_refusals_are_counted),
        TEST(a_long_time_is_not_too_many_bars), TEST(nothing_is_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
