/* Parties, networks and providers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/origin.h"

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1234, &addr), 0);
    return addr;
}

static void addresses_are_grouped(void **state)
{
    static const struct {
        const char *one, *other;
        bool same[ORIGIN_WIDTHS]; /* provider, network, party */
    } CASES[] = {
        {"203.0.113.7", "203.0.113.7", {true, true, true}},
        {"203.0.113.7", "203.0.113.8", {true, true, false}},
        {"203.0.113.7", "203.0.114.7", {true, false, false}},
        {"203.0.113.7", "203.1.113.7", {false, false, false}},
        {"0.0.0.0", "::", {false, false, false}},
        {"2001:db8:1:2::7", "2001:db8:1:2:ffff::1", {true, true, true}},
        {"2001:db8:1:2::7", "2001:db8:1:3::7", {true, true, false}},
        {"2001:db8:1:2::7", "2001:db8:2:2::7", {true, false, false}},
        {"2001:db8:1:2::7", "2001:db9:1:2::7", {false, false, false}},
        {"255.255.255.255", "ffff:ffff:ffff:ffff::1", {false, false, false}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct addr a = at(CASES[i].one), b = at(CASES[i].other);
        struct origin one = origin_of(&a), other = origin_of(&b);
        for (enum origin_width width = ORIGIN_PROVIDER; width < ORIGIN_WIDTHS; width++) {
            if (origin_same(&one, &other, width) != CASES[i].same[width]) {
                fail_msg("%s and %s at width %d", CASES[i].one, CASES[i].other, (int)width);
            }
        }
        assert_int_equal(origin_same(&one, &other, ORIGIN_PARTY), addr_same_party(&a, &b));
    }
}

static void networks_have_names(void **state)
{
    static const char *const CASES[][2] = {
        {"203.0.113.7", "203.0.113.0/24"},
        {"2001:db8:7:8:9::1", "2001:db8:7::/48"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff::/48"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct addr addr = at(CASES[i][0]);
        char text[NETWORK_TEXT_MAX];
        assert_string_equal(origin_network_text(&addr, text), CASES[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_grouped),
        cmocka_unit_test(networks_have_names),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
