/* Which targets took a connection a moment ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/reachable.h"

static uint64_t now_ms;

uint64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_ms(void)
{
    return now_ms;
}

static struct addr target(const char *host, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse(host, port, &addr), 0);
    return addr;
}

static void an_answer_counts_for_a_minute_and_for_one_port_of_one_address(void **state)
{
    struct reachable *reachable = reachable_new();
    struct addr nas = target("10.0.0.1", 22);
    const struct addr others[] = {target("10.0.0.1", 2222), target("10.0.0.2", 22),
                                  target("fd00::1", 22)};
    (void)state;
    now_ms = 1000000;
    assert_false(reachable_lately(reachable, &nas));
    reachable_note(reachable, &nas);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(reachable_lately(reachable, &others[i]));
    }
    now_ms += REACHABLE_MS - 1;
    assert_true(reachable_lately(reachable, &nas));
    now_ms += 1;
    assert_false(reachable_lately(reachable, &nas));
    reachable_note(reachable, &nas); /* it is noted anew, in its old place */
    assert_true(reachable_lately(reachable, &nas));
    reachable_forget(reachable, &nas);
    reachable_forget(reachable, &nas);
    assert_false(reachable_lately(reachable, &nas));
    reachable_free(reachable);
    reachable_free(NULL);
}

static void the_oldest_makes_room(void **state)
{
    struct reachable *reachable = reachable_new();
    char host[32];
    (void)state;
    now_ms = 1000000;
    for (unsigned i = 0; i <= REACHABLE_MAX; i++) {
        snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
        now_ms++;
        struct addr addr = target(host, 22);
        reachable_note(reachable, &addr);
        if (i == 1) {
            struct addr first = target("10.0.0.0", 22);
            now_ms++;
            reachable_note(reachable, &first); /* now the second one is the oldest */
        }
    }
    for (unsigned i = 0; i <= REACHABLE_MAX; i++) {
        snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
        struct addr addr = target(host, 22);
        assert_int_equal(reachable_lately(reachable, &addr), i != 1);
    }
    reachable_free(reachable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_counts_for_a_minute_and_for_one_port_of_one_address),
        cmocka_unit_test(the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("reachable", tests, NULL, NULL);
}
