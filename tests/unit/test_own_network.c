/* Which addresses are a neighbour's, by the networks that a machine is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/names/own_network.h"

static struct addr address(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(text, 0, &addr), 0);
    return addr;
}

static struct own_network network(unsigned index, const char *own, unsigned bits)
{
    return (struct own_network){.index = index, .addr = address(own), .bits = bits};
}

static bool has(const struct own_network *one, const char *text)
{
    struct addr addr = address(text);
    return own_networks_have(one, 1, one->index, &addr);
}

static void test_neighbours(void **state)
{
    const struct own_network home = network(2, "192.168.1.2", 24);
    const struct own_network wide = network(2, "10.1.2.3", 8);
    const struct own_network pair = network(2, "10.0.0.0", 31);
    const struct own_network six = network(2, "fd00:1::2", 64);
    (void)state;
    assert_true(has(&home, "192.168.1.1") && has(&home, "192.168.1.254"));
    assert_true(has(&wide, "10.255.255.254") && has(&wide, "10.0.0.255"));
    assert_true(has(&pair, "10.0.0.0") && has(&pair, "10.0.0.1"));
    assert_true(has(&six, "fd00:1::") && has(&six, "fd00:1::ffff:ffff:ffff:ffff"));
    assert_false(has(&home, "192.168.2.1") || has(&pair, "10.0.0.2") || has(&six, "fd00:2::1"));
    assert_false(has(&home, "224.0.0.251") || has(&home, "127.0.0.1") || has(&home, "0.0.0.0"));
    assert_false(has(&home, "255.255.255.255") || has(&home, "fd00:1::2"));
}

static void test_the_addresses_of_all_are_nobodys(void **state)
{
    const struct own_network home = network(2, "192.168.1.2", 24);
    const struct own_network wide = network(2, "10.1.2.3", 8);
    const struct own_network four = network(2, "10.0.0.1", 30);
    (void)state;
    assert_false(has(&home, "192.168.1.0") || has(&home, "192.168.1.255"));
    assert_false(has(&wide, "10.0.0.0") || has(&wide, "10.255.255.255"));
    assert_false(has(&four, "10.0.0.0") || has(&four, "10.0.0.3"));
    assert_true(has(&four, "10.0.0.2"));
}

static void test_each_interface_has_its_own(void **state)
{
    const struct own_network both[] = {network(2, "192.168.1.2", 24), network(3, "10.0.0.2", 24)};
    struct addr near = address("192.168.1.9"), own = address("10.0.0.2");
    (void)state;
    assert_true(own_networks_have(both, 2, 2, &near));
    assert_false(own_networks_have(both, 2, 3, &near));
    assert_true(own_networks_are_at(both, 2, &own));
    assert_false(own_networks_are_at(both, 2, &near) || own_networks_are_at(both, 1, &own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_the_addresses_of_all_are_nobodys),
        cmocka_unit_test(test_each_interface_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
