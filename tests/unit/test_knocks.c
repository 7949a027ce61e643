/* How many came, and from where. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/knocks.h"

static void knock(struct knocks *knocks, const char *host, unsigned times)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1, &addr), 0);
    while (times-- > 0) {
        knocks_count(knocks, &addr);
    }
}

static void the_busiest_networks_come_first(void **state)
{
    struct knocks knocks = {0};
    struct knocking sum;
    (void)state;
    knock(&knocks, "9.9.9.1", 2);
    knock(&knocks, "2001:db8:1:2::3", 7);
    knock(&knocks, "9.9.9.200", 3);
    knock(&knocks, "1.1.1.1", 1);
    knock(&knocks, "2.2.2.2", 2);
    knocks_sum_up(&knocks, &sum);
    assert_int_equal(sum.clients, 15);
    assert_int_equal(sum.networks, 4);
    assert_false(sum.more_networks);
    assert_int_equal(sum.busiest_count, KNOCKING_BUSIEST);
    assert_int_equal(sum.busiest[0].clients, 7);
    assert_string_equal(sum.busiest[0].network, "2001:db8:1::/48");
    assert_int_equal(sum.busiest[1].clients, 5);
    assert_int_equal(sum.busiest[2].clients, 2);
}

static void a_few_networks_are_said_as_they_are(void **state)
{
    struct knocks knocks = {0};
    struct knocking sum;
    (void)state;
    knocks_sum_up(&knocks, &sum);
    assert_int_equal(sum.clients, 0);
    assert_int_equal(sum.busiest_count, 0);
    knock(&knocks, "9.9.9.1", 1);
    knocks_sum_up(&knocks, &sum);
    assert_int_equal(sum.busiest_count, 1);
}

static void networks_that_are_all_alike_are_not_named(void **state)
{
    struct knocks knocks = {0};
    struct knocking sum;
    char host[ADDR_HOST_MAX];
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(host, sizeof host, "9.9.%u.1", i);
        knock(&knocks, host, 1 + (i == 7));
    }
    knocks_sum_up(&knocks, &sum);
    assert_int_equal(sum.busiest_count, 1);
    assert_string_equal(sum.busiest[0].network, "9.9.7.0/24");
}

static void the_whole_internet_takes_no_more_memory(void **state)
{
    struct knocks knocks = {0};
    struct knocking sum;
    char host[ADDR_HOST_MAX];
    (void)state;
    knock(&knocks, "9.9.9.9", 50);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(host, sizeof host, "100.%u.%u.1", i / 250, i % 250);
        knock(&knocks, host, 1);
    }
    knocks_sum_up(&knocks, &sum);
    assert_int_equal(sum.clients, 1050);
    assert_int_equal(sum.networks, KNOCKS_NETWORKS);
    assert_true(sum.more_networks);
    assert_string_equal(sum.busiest[0].network, "9.9.9.0/24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_busiest_networks_come_first),
        cmocka_unit_test(a_few_networks_are_said_as_they_are),
        cmocka_unit_test(networks_that_are_all_alike_are_not_named),
        cmocka_unit_test(the_whole_internet_takes_no_more_memory),
    };
    return cmocka_run_group_tests_name("knocks", tests, NULL, NULL);
}
