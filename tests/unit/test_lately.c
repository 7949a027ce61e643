/* Where each user came from last. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/admission/lately.h"

static const struct owner ANNA = {OWNER_TELEGRAM, 42}, ROOT = {OWNER_LOCAL, 42};

static void add(struct lately *lately, const struct owner *owner, const char *host, int64_t when)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, 1, &addr), 0);
    lately_add(lately, owner, &addr, when);
}

static void the_last_address_counts(void **state)
{
    struct lately *lately = lately_new();
    struct addr from;
    char host[ADDR_HOST_MAX];
    int64_t when;
    (void)state;
    assert_false(lately_find(lately, &ANNA, &from, &when));
    add(lately, &ANNA, "1.1.1.1", 1000);
    add(lately, &ROOT, "2.2.2.2", 2000);
    add(lately, &ANNA, "2001:db8::1", 3000);
    assert_true(lately_find(lately, &ANNA, &from, &when));
    assert_string_equal(addr_host_text(&from, host), "2001:db8::1");
    assert_int_equal(when, 3000);
    assert_true(lately_find(lately, &ROOT, &from, &when));
    assert_int_equal(when, 2000);
    lately_free(lately);
}

static void the_longest_ago_is_forgotten(void **state)
{
    struct lately *lately = lately_new();
    struct addr from;
    int64_t when;
    (void)state;
    add(lately, &ROOT, "2.2.2.2", 1);
    add(lately, &ANNA, "1.1.1.1", 2);
    for (unsigned i = 0; i < LATELY_MAX - 1; i++) {
        add(lately, &(struct owner){OWNER_TELEGRAM, 1000 + i}, "3.3.3.3", 3);
    }
    assert_false(lately_find(lately, &ROOT, &from, &when));
    assert_true(lately_find(lately, &ANNA, &from, &when));
    lately_free(lately);
}

static void what_is_known_from_before_is_learnt(void **state)
{
    struct lately *lately = lately_new();
    struct known *known = known_new(NULL, 30);
    struct addr from;
    char host[ADDR_HOST_MAX];
    int64_t when;
    (void)state;
    assert_int_equal(addr_parse("1.1.1.1", 1, &from), 0);
    known_add(known, &ROOT, &ROOT, &from);
    assert_int_equal(addr_parse("2001:db8:1:2::3", 1, &from), 0);
    known_add(known, &ROOT, &ROOT, &from);
    lately_learn(lately, known);
    assert_true(lately_find(lately, &ROOT, &from, &when));
    assert_string_equal(addr_host_text(&from, host), "2001:db8:1:2::");
    assert_true(when > 0);
    assert_false(lately_find(lately, &ANNA, &from, &when));
    known_free(known);
    lately_free(lately);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_address_counts),
        cmocka_unit_test(the_longest_ago_is_forgotten),
        cmocka_unit_test(what_is_known_from_before_is_learnt),
    };
    return cmocka_run_group_tests_name("lately", tests, NULL, NULL);
}
