/* What costs something, so many times a network, and back with time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/allowance.h"

static struct allowance allowance_of(unsigned most)
{
    return (struct allowance){.v4_bits = 24, .v6_bits = 48, .most = most, .refill_ms = 1000};
}

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 22, &addr), 0);
    return addr;
}

static unsigned uses(struct allowance *allowance, const char *host, uint64_t now_ms)
{
    struct addr from = at(host);
    unsigned count = 0;
    while (!allowance_is_used_up(allowance, &from, now_ms) && count < 100) {
        allowance_use(allowance, &from, now_ms);
        count++;
    }
    return count;
}

static void a_network_has_its_share_and_no_other_network_feels_it(void **state)
{
    struct allowance allowance = allowance_of(3);
    (void)state;
    assert_int_equal(uses(&allowance, "192.0.2.7", 50000), 3);
    assert_int_equal(uses(&allowance, "192.0.2.200", 50000), 0);
    assert_int_equal(uses(&allowance, "192.0.3.7", 50000), 3);
    assert_int_equal(uses(&allowance, "2001:db8:1:2::7", 50000), 3);
    assert_int_equal(uses(&allowance, "2001:db8:1:3::7", 50000), 0);
    assert_int_equal(uses(&allowance, "2001:db8:2:3::7", 50000), 3);
}

static void it_comes_back_with_time_and_no_more_than_all_of_it(void **state)
{
    struct allowance allowance = allowance_of(3);
    (void)state;
    assert_int_equal(uses(&allowance, "192.0.2.7", 50000), 3);
    assert_int_equal(uses(&allowance, "192.0.2.7", 50999), 0);
    assert_int_equal(uses(&allowance, "192.0.2.7", 51500), 1);
    assert_int_equal(uses(&allowance, "192.0.2.7", 51999), 0);
    assert_int_equal(uses(&allowance, "192.0.2.7", 52000), 1); /* the half second counted */
    assert_int_equal(uses(&allowance, "192.0.2.7", 900000), 3);
}

static void of_too_many_networks_the_one_that_used_least_is_forgotten(void **state)
{
    struct allowance allowance = allowance_of(3);
    char host[32];
    (void)state;
    assert_int_equal(uses(&allowance, "192.0.2.7", 50000), 3);
    for (unsigned i = 0; i < 10 * ALLOWANCE_NETWORKS; i++) {
        struct addr other;
        snprintf(host, sizeof host, "10.%u.%u.1", i / 256, i % 256);
        other = at(host);
        allowance_use(&allowance, &other, 50000);
    }
    assert_int_equal(uses(&allowance, "192.0.2.7", 50000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_its_share_and_no_other_network_feels_it),
        cmocka_unit_test(it_comes_back_with_time_and_no_more_than_all_of_it),
        cmocka_unit_test(of_too_many_networks_the_one_that_used_least_is_forgotten),
    };
    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
