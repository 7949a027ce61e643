/* Addresses from which users were admitted before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vps/admission/known.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42};
static const struct owner BERT = {OWNER_TELEGRAM, 43};
static const struct owner LOCAL = {OWNER_LOCAL, 42}; /* the number of ANNA, but another person */

static struct addr at(const char *host)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1234, &addr), 0);
    return addr;
}

static struct addr number(unsigned i)
{
    char host[16];
    snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
    return at(host);
}

static int set_up(void **state)
{
    *state = known_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    known_free(*state);
    return 0;
}

static void nobody_is_known_at_first(void **state)
{
    struct addr home = at("192.0.2.1");
    assert_false(known_has(*state, &ANNA, &home));
}

static void an_address_is_known_for_its_user_alone(void **state)
{
    struct addr home = at("192.0.2.1"), other = at("192.0.2.2");
    known_add(*state, &ANNA, &home);
    assert_true(known_has(*state, &ANNA, &home));
    assert_false(known_has(*state, &BERT, &home));
    assert_false(known_has(*state, &LOCAL, &home));
    assert_false(known_has(*state, &ANNA, &other));
}

static void the_port_does_not_matter(void **state)
{
    struct addr home = at("192.0.2.1");
    known_add(*state, &ANNA, &home);
    addr_set_port(&home, 4321);
    assert_true(known_has(*state, &ANNA, &home));
}

static void an_ipv6_address_is_known_by_its_network(void **state)
{
    struct addr home = at("2001:db8::1"), later = at("2001:db8::2"), other = at("2001:db8:0:1::1");
    known_add(*state, &ANNA, &home);
    assert_true(known_has(*state, &ANNA, &later));
    assert_false(known_has(*state, &ANNA, &other));
    assert_int_equal(known_forget(*state, &ANNA, &later), 1);
    assert_false(known_has(*state, &ANNA, &home));
}

static void an_ipv4_address_is_the_same_in_ipv6_clothes(void **state)
{
    struct addr home = at("192.0.2.1"), mapped = at("::ffff:192.0.2.1");
    known_add(*state, &ANNA, &home);
    assert_true(known_has(*state, &ANNA, &mapped));
}

static void the_oldest_is_forgotten_when_all_places_are_taken(void **state)
{
    for (unsigned i = 0; i < KNOWN_MAX; i++) {
        struct addr addr = number(i);
        known_add(*state, &ANNA, &addr);
    }
    struct addr first = number(0), second = number(1), last = number(KNOWN_MAX);
    assert_true(known_has(*state, &ANNA, &first));
    known_add(*state, &ANNA, &first); /* it was used again: the second is the oldest now */
    known_add(*state, &BERT, &last);
    assert_true(known_has(*state, &ANNA, &first));
    assert_false(known_has(*state, &ANNA, &second));
    assert_true(known_has(*state, &BERT, &last));
    for (unsigned i = 2; i < KNOWN_MAX; i++) {
        struct addr addr = number(i);
        assert_true(known_has(*state, &ANNA, &addr));
    }
}

static void an_address_that_is_used_again_takes_no_second_place(void **state)
{
    struct addr home = at("192.0.2.1");
    known_add(*state, &BERT, &home);
    for (unsigned i = 0; i < 2 * KNOWN_MAX; i++) {
        struct addr addr = number(i % (KNOWN_MAX - 1));
        known_add(*state, &ANNA, &addr);
    }
    assert_true(known_has(*state, &BERT, &home));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_known_at_first),
        TEST(an_address_is_known_for_its_user_alone),
        TEST(the_port_does_not_matter),
        TEST(an_ipv6_address_is_known_by_its_network),
        TEST(an_ipv4_address_is_the_same_in_ipv6_clothes),
        TEST(the_oldest_is_forgotten_when_all_places_are_taken),
        TEST(an_address_that_is_used_again_takes_no_second_place),
    };
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
