/* Small calls: a few at once, a short queue, and none is in the way of another for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "vps/telegram/calls.h"

static struct calls *calls;

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    calls = calls_new(NULL, NULL, NULL);
    return calls ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    calls_free(calls);
    fakes_end();
    return 0;
}

static void run(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        calls_answer(calls, id, "well", i % 2 == 1);
    }
}

static void four_are_under_way_and_the_rest_follow_in_order(void **state)
{
    (void)state;
    run(6);
    assert_int_equal(fake_calls(), 4);
    fake_done(2, "true");
    assert_int_equal(fake_calls(), 5);
    assert_string_equal(fake_string(4, "callback_query_id"), "4");
    fake_refuse(0, 400, "too old");
    assert_string_equal(fake_string(5, "callback_query_id"), "5");
    fake_done(1, "true");
    fake_done(3, "true");
    fake_done(4, "true");
    fake_done(5, "true");
    fakes_advance(100000);
    assert_int_equal(fake_calls(), 6);
}

static void the_queue_is_short(void **state)
{
    (void)state;
    run(100);
    unsigned done = 0;
    while (done < fake_calls()) {
        fake_done(done++, "true");
    }
    assert_in_range(done, 5, 40);
    run(1); /* and there is room again */
    assert_int_equal(fake_calls(), done + 1);
}

static void one_that_waits_for_another_try_makes_room(void **state)
{
    (void)state;
    run(5);
    fake_later(0, 429, 30);
    assert_string_equal(fake_string(4, "callback_query_id"), "4");
    for (unsigned i = 1; i < 5; i++) {
        fake_done(i, "true");
    }
    fakes_advance(30000);
    assert_string_equal(fake_string(5, "callback_query_id"), "0");
    for (unsigned i = 5; i < 8; i++) {
        fake_later(i, 0, 0);
        fakes_advance(10000);
    }
    assert_int_equal(fake_calls(), 8); /* given up */
}

static unsigned told;

static void on_result(void *arg, const json_t *result)
{
    assert_ptr_equal(arg, &told);
    assert_string_equal(json_string_value(json_object_get(result, "description")), "Ours");
    told++;
}

static void a_result_is_handed_on_and_a_failure_is_no_trouble(void **state)
{
    (void)state;
    told = 0;
    calls_ask(calls, "getMyDescription", json_object(), on_result, &told);
    calls_ask(calls, "getMyDescription", json_object(), on_result, &told);
    fake_refuse(0, 400, "no such method");
    assert_int_equal(told, 0);
    fake_done(1, "{\"description\":\"Ours\"}");
    assert_int_equal(told, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(four_are_under_way_and_the_rest_follow_in_order),
        TEST(the_queue_is_short),
        TEST(one_that_waits_for_another_try_makes_room),
        TEST(a_result_is_handed_on_and_a_failure_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
