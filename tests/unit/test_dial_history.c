/* Addresses that failed lately go last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dial_history.h"
#include "base/text.h"

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 9000, &addr), 0);
    return addr;
}

static const char *const HOSTS[] = {"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"};

/* The order in which they come now, and how many are good. */
static void assert_order(const struct dial_history *history, uint64_t now_ms, const char *order,
                         unsigned good)
{
    struct addr addrs[4];
    char text[256], host[ADDR_HOST_MAX];
    struct text found = text_over(text, sizeof text);
    for (unsigned i = 0; i < 4; i++) {
        addrs[i] = at(HOSTS[i]);
    }
    assert_int_equal(dial_history_sort(history, addrs, 4, now_ms), good);
    for (unsigned i = 0; i < 4; i++) {
        text_add(&found, "%s%s", i ? " " : "", addr_host_text(&addrs[i], host));
        assert_int_equal(addr_port(&addrs[i]), 9000);
    }
    assert_string_equal(text, order);
}

static void fail_at(struct dial_history *history, const char *host, uint64_t now_ms)
{
    struct addr addr = at(host);
    dial_history_failed(history, &addr, now_ms);
}

static void who_failed_goes_last_for_some_minutes(void **state)
{
    struct dial_history history = {0};
    (void)state;
    assert_order(&history, 1000, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2", 4);
    fail_at(&history, "2001:db8::1", 1000);
    assert_order(&history, 1001, "192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::1", 3);
    fail_at(&history, "2001:db8::2", 2000);
    assert_order(&history, 2001, "192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2", 2);
    fail_at(&history, "192.0.2.1", 3000);
    fail_at(&history, "192.0.2.2", 4000);
    assert_order(&history, 5000, "2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", 0);
    fail_at(&history, "2001:db8::1", 6000); /* again: it is the latest now */
    assert_order(&history, 6001, "2001:db8::2 192.0.2.1 192.0.2.2 2001:db8::1", 0);
    assert_order(&history, 4000 + DIAL_HISTORY_MS, "192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::1",
                 3);
}

static void who_works_again_is_as_good_as_new(void **state)
{
    struct dial_history history = {0};
    struct addr addr = at("2001:db8::1");
    (void)state;
    fail_at(&history, "2001:db8::1", 1000);
    dial_history_worked(&history, &addr);
    assert_order(&history, 1001, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2", 4);
}

static void of_too_many_the_oldest_failure_is_forgotten(void **state)
{
    struct dial_history history = {0};
    (void)state;
    fail_at(&history, "2001:db8::1", 1000);
    for (unsigned i = 0; i < DIAL_HISTORY_MAX - 1; i++) {
        struct addr other = at("10.0.0.1");
        other.v4.sin_addr.s_addr += htonl(i);
        dial_history_failed(&history, &other, 2000 + i);
    }
    assert_order(&history, 3000, "192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::1", 3);
    fail_at(&history, "10.1.0.1", 4000);
    assert_order(&history, 4000, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_failed_goes_last_for_some_minutes),
        cmocka_unit_test(who_works_again_is_as_good_as_new),
        cmocka_unit_test(of_too_many_the_oldest_failure_is_forgotten),
    };
    return cmocka_run_group_tests_name("dial_history", tests, NULL, NULL);
}
