/* Commands that wait for their gateway are tried again, not for long, and each is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "vps/chat/waiting.h"

static struct waiting *waiting;
static unsigned tries, lasts;
static int64_t ready_chat; /* the one whose gateway is there */

static bool on_try(void *arg, int64_t chat_id, const char *command, bool last)
{
    (void)arg;
    assert_string_equal(command, "/ssh nas");
    tries++;
    lasts += last;
    return chat_id == ready_chat;
}

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    tries = lasts = 0;
    ready_chat = 0;
    waiting = waiting_new(NULL, on_try, NULL);
    return waiting ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    waiting_free(waiting);
    fakes_end();
    return 0;
}

static void one_is_tried_until_it_works(void **state)
{
    (void)state;
    assert_true(waiting_add(waiting, 1, "/ssh nas"));
    assert_true(waiting_add(waiting, 2, "/ssh nas"));
    fakes_advance(WAITING_EVERY_MS);
    assert_int_equal(tries, 2);
    ready_chat = 1;
    fakes_advance(WAITING_EVERY_MS);
    assert_int_equal(tries, 4);
    fakes_advance(WAITING_EVERY_MS);
    assert_int_equal(tries, 5); /* the other goes on */
    ready_chat = 2;
    fakes_advance(60000);
    assert_int_equal(tries, 6);
    assert_int_equal(lasts, 0);
}

static void it_is_told_when_it_is_the_last_time(void **state)
{
    (void)state;
    waiting_add(waiting, 1, "/ssh nas");
    fakes_advance(WAITING_TRIES * WAITING_EVERY_MS);
    assert_int_equal(tries, WAITING_TRIES);
    assert_int_equal(lasts, 1);
    fakes_advance(60000);
    assert_int_equal(tries, WAITING_TRIES);
}

static void at_the_end_all_are_answered(void **state)
{
    (void)state;
    unsigned added = 0;
    while (waiting_add(waiting, 1, "/ssh nas")) {
        added++;
    }
    assert_int_equal(added, WAITING_MAX);
    waiting_end(waiting);
    assert_int_equal(lasts, WAITING_MAX);
    fakes_advance(60000);
    assert_int_equal(tries, WAITING_MAX);
    assert_true(waiting_add(waiting, 1, "/ssh nas")); /* freed while it waits */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_is_tried_until_it_works),
        TEST(it_is_told_when_it_is_the_last_time),
        TEST(at_the_end_all_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
