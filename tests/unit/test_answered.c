/* Which targets took a connection a moment ago. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/answered.h"

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
    struct answered *answered = answered_new();
    struct addr nas = target("10.0.0.1", 22);
    const struct addr others[] = {target("10.0.0.1", 2222), target("10.0.0.2", 22),
                                  target("fd00::1", 22)};
    (void)state;
    now_ms = 1000000;
    assert_false(answered_lately(answered, &nas));
    answered_note(answered, &nas);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(answered_lately(answered, &others[i]));
    }
    now_ms += ANSWERED_MS - 1;
    assert_true(answered_lately(answered, &nas));
    now_ms += 1;
    assert_false(answered_lately(answered, &nas));
    answered_note(answered, &nas); /* it is noted anew, in its old place */
    assert_true(answered_lately(answered, &nas));
    answered_forget(answered, &nas);
    answered_forget(answered, &nas);
    assert_false(answered_lately(answered, &nas));
    answered_free(answered);
    answered_free(NULL);
}

static void the_oldest_makes_room(void **state)
{
    struct answered *answered = answered_new();
    char host[32];
    (void)state;
    now_ms = 1000000;
    for (unsigned i = 0; i <= ANSWERED_MAX; i++) {
        snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
        now_ms++;
        struct addr addr = target(host, 22);
        answered_note(answered, &addr);
        if (i == 1) {
            struct addr first = target("10.0.0.0", 22);
            now_ms++;
            answered_note(answered, &first); /* now the second one is the oldest */
        }
    }
    for (unsigned i = 0; i <= ANSWERED_MAX; i++) {
        snprintf(host, sizeof host, "10.0.%u.%u", i / 256, i % 256);
        struct addr addr = target(host, 22);
        assert_int_equal(answered_lately(answered, &addr), i != 1);
    }
    answered_free(answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_counts_for_a_minute_and_for_one_port_of_one_address),
        cmocka_unit_test(the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("answered", tests, NULL, NULL);
}
