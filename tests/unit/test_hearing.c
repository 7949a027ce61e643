/* What the bot's ears stand on: Telegram's clock, how long polls may be, and what the log says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bot_fakes.h"
#include "vps/chat/expired.h"
#include "vps/telegram/http_paths.h"
#include "vps/telegram/poll_length.h"
#include "vps/telegram/server_clock.h"
#include "vps/telegram/trouble.h"

enum { ANNA = 42, BERT = 43 };

static struct log log_here;
static char *written;
static size_t written_len;

static int set_up(void **state)
{
    (void)state;
    fakes_start();
    log_here = (struct log){.stream = open_memstream(&written, &written_len), .level = LOG_INFO};
    return log_here.stream ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fclose(log_here.stream);
    free(written);
    fakes_end();
    return 0;
}

/* How many lines of the log say that. */
static unsigned lines_with(const char *words)
{
    unsigned count = 0;
    fflush(log_here.stream);
    for (const char *at = written; (at = strstr(at, words)); at++) {
        count++;
    }
    return count;
}

/* --- server_clock --- */

static void its_clock_goes_by_the_servers_and_on_by_itself(void **state)
{
    (void)state;
    struct server_clock clock = {0};
    assert_int_equal(server_clock_now(&clock), clock_unix());
    int64_t server = fakes_true_unix();
    fakes_set_clock(-3600);
    server_clock_hear(&clock, server);
    fakes_advance(5000);
    fakes_set_clock(7200);
    assert_int_equal(server_clock_now(&clock), server + 5);
    server_clock_hear(&clock, 0); /* an answer without Date says nothing */
    assert_int_equal(server_clock_now(&clock), server + 5);
}

static void a_wrong_clock_is_warned_about_once(void **state)
{
    (void)state;
    struct server_clock clock = {0};
    server_clock_hear(&clock, fakes_true_unix());
    server_clock_compare(&clock, &log_here);
    fakes_set_clock(5);
    server_clock_compare(&clock, &log_here);
    assert_int_equal(lines_with("warn"), 0);
    fakes_set_clock(-120);
    server_clock_compare(&clock, &log_here);
    server_clock_compare(&clock, &log_here);
    assert_int_equal(lines_with("2 min behind"), 1);
    assert_int_equal(lines_with("warn"), 1);
    fakes_set_clock(0);
    server_clock_compare(&clock, &log_here);
    fakes_set_clock(3600);
    server_clock_compare(&clock, &log_here);
    assert_int_equal(lines_with("1 h ahead"), 1);
}

/* --- poll_length --- */

static void polls_that_are_cut_by_chance_stay_long(void **state)
{
    (void)state;
    struct poll_length length = {0};
    assert_int_equal(poll_length_s(&length), POLL_LENGTH_S);
    assert_false(poll_length_cut(&length, 8000));
    assert_false(poll_length_cut(&length, 20000));
    assert_false(poll_length_cut(&length, 14000));
    assert_false(poll_length_cut(&length, 14100));
    poll_length_fine(&length);
    assert_false(poll_length_cut(&length, 14000));
    assert_false(poll_length_cut(&length, 100)); /* a server that is down cuts at once */
    assert_false(poll_length_cut(&length, 100));
    assert_false(poll_length_cut(&length, 100));
    assert_int_equal(poll_length_s(&length), POLL_LENGTH_S);
}

static void polls_get_shorter_step_by_step(void **state)
{
    (void)state;
    struct poll_length length = {0};
    assert_false(poll_length_cut(&length, 20000));
    assert_false(poll_length_cut(&length, 20500));
    assert_true(poll_length_cut(&length, 19800));
    assert_int_equal(poll_length_s(&length), 14);
    assert_false(poll_length_cut(&length, 9000));
    assert_false(poll_length_cut(&length, 9000));
    assert_true(poll_length_cut(&length, 9000));
    assert_int_equal(poll_length_s(&length), 6);
    fakes_advance(3600 * 1000);
    assert_int_equal(poll_length_s(&length), POLL_LENGTH_S);
}

/* --- trouble --- */

static void trouble_that_comes_and_goes_is_said_every_ten_minutes(void **state)
{
    (void)state;
    struct trouble trouble;
    assert_int_equal(trouble_init(&trouble, NULL, &log_here, "receiving"), 0);
    for (unsigned i = 0; i < 360; i++) { /* an hour of a cut poll every ten seconds */
        trouble_begin(&trouble, i % 2 ? "the server closed the connection" : "retry after 17");
        fakes_advance(1000);
        trouble_end(&trouble);
        fakes_advance(9000);
    }
    assert_in_range(lines_with("trouble with receiving"), 10, 14);
    assert_in_range(lines_with("works again"), 10, 14);
    assert_in_range(lines_with("more like this not shown"), 10, 12);
    trouble_done(&trouble);
    assert_int_equal(lines_with("telegram: receiving: retry after #: 29 more lines not shown"), 1);
}

static void trouble_that_lasts_is_said_again(void **state)
{
    (void)state;
    struct trouble trouble;
    assert_int_equal(trouble_init(&trouble, NULL, &log_here, "receiving"), 0);
    for (unsigned i = 0; i < 60; i++) {
        trouble_begin(&trouble, "Unauthorized");
        fakes_advance(60000);
    }
    assert_int_equal(lines_with("trouble with receiving"), 6);
    assert_int_equal(lines_with("receiving, for 50 min: Unauthorized"), 1);
    trouble_end(&trouble);
    assert_int_equal(lines_with("receiving works again after 1 h"), 1);
    fakes_advance(3600 * 1000);
    assert_int_equal(lines_with("not shown"), 0); /* it was one trouble all the time */
    trouble_done(&trouble);
}

static void reasons_that_differ_in_numbers_are_one(void **state)
{
    (void)state;
    struct trouble trouble;
    assert_int_equal(trouble_init(&trouble, NULL, &log_here, "sending"), 0);
    trouble_begin(&trouble, "Too Many Requests: retry after 17");
    trouble_begin(&trouble, "Too Many Requests: retry after 5");
    trouble_begin(&trouble, "no answer in time");
    trouble_begin(&trouble, "Too Many Requests: retry after 123");
    assert_int_equal(lines_with("trouble with sending"), 2);
    trouble_done(&trouble);
}

/* A server in wrong hands has any number of reasons. */
static void any_number_of_reasons_is_a_bounded_number_of_lines(void **state)
{
    (void)state;
    struct trouble trouble;
    char reason[] = "reason a";
    assert_int_equal(trouble_init(&trouble, NULL, &log_here, "sending"), 0);
    for (unsigned i = 0; i < 2600; i++) {
        reason[7] = (char)('A' + i % 52);
        trouble_begin(&trouble, reason);
        trouble_end(&trouble);
    }
    assert_int_equal(lines_with("trouble with sending"), SIEVE_ALL);
    assert_int_equal(lines_with("works again"), SIEVE_ALL);
    trouble_done(&trouble);
}

/* --- paths --- */

static bool fails(struct http_paths *paths, struct http_paths_try attempt, CURLcode code)
{
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    attempt.began_ms = clock_ms();
    bool again = http_paths_learn(paths, easy, &attempt, code);
    curl_easy_cleanup(easy);
    return again;
}

static void ipv6_that_carried_nothing_is_left_out_for_some_minutes(void **state)
{
    (void)state;
    struct http_paths paths = {0};
    const struct http_paths_try v4 = {.opened_v4 = true}, v6 = {.opened_v6 = true},
                                old = {.opened_v4 = false};
    assert_false(fails(&paths, old, CURLE_OPERATION_TIMEDOUT));
    assert_int_equal(paths.without_v6_until, 0);
    assert_int_equal(paths.broken_ms, clock_ms());
    assert_false(fails(&paths, v6, CURLE_SSL_CONNECT_ERROR));
    assert_in_range(paths.without_v6_until, clock_ms() + 60000, clock_ms() + 3600000);
    assert_false(fails(&paths, old, CURLE_RECV_ERROR)); /* says nothing about IPv4 */
    assert_int_not_equal(paths.without_v6_until, 0);
    assert_false(fails(&paths, v4, CURLE_OPERATION_TIMEDOUT));
    assert_false(fails(&paths, v4, CURLE_OK));
    assert_false(fails(&paths, v4, CURLE_OPERATION_TIMEDOUT));
    assert_int_not_equal(paths.without_v6_until, 0);
    assert_false(fails(&paths, v4, CURLE_OPERATION_TIMEDOUT)); /* it is no better */
    assert_int_equal(paths.without_v6_until, 0);
}

static void where_there_is_no_ipv4_it_is_ipv6_again_at_once(void **state)
{
    (void)state;
    struct http_paths paths = {0};
    const struct http_paths_try v6 = {.opened_v6 = true}, old = {.opened_v4 = false};
    fails(&paths, v6, CURLE_RECV_ERROR);
    assert_true(fails(&paths, old, CURLE_COULDNT_RESOLVE_HOST));
    assert_int_equal(paths.without_v6_until, 0);
    assert_false(fails(&paths, old, CURLE_COULDNT_RESOLVE_HOST)); /* and not for ever */
}

/* --- expired --- */

static void expired_commands_have_one_notice_per_chat_and_fresh_answers_go_first(void **state)
{
    (void)state;
    struct transport *transport = fakes_telegram();
    struct expired *expired = expired_new(NULL, &log_here, transport, NULL);
    for (unsigned i = 0; i < 7; i++) {
        expired_add(expired, ANNA, 600 - i);
    }
    expired_add(expired, BERT, 100);
    transport_say(transport, ANNA, "fresh");
    assert_int_equal(fake_calls(), 1);
    assert_string_equal(fake_string(0, "text"), "fresh");
    fake_message(0, 1);
    fakes_advance(2000);
    assert_int_equal(fake_calls(), 3);
    for (unsigned i = 1; i < 3; i++) {
        bool is_annas = fake_integer(i, "chat_id") == ANNA;
        assert_non_null(strstr(fake_string(i, "text"), is_annas ? "7 commands" : "1 min 40 s"));
        fake_message(i, 1 + i);
    }
    assert_int_equal(lines_with("expired"), 2);
    expired_add(expired, ANNA, 100); /* dropped with it */
    expired_free(expired);
    transport_free(transport);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_clock_goes_by_the_servers_and_on_by_itself),
        TEST(a_wrong_clock_is_warned_about_once),
        TEST(polls_that_are_cut_by_chance_stay_long),
        TEST(polls_get_shorter_step_by_step),
        TEST(trouble_that_comes_and_goes_is_said_every_ten_minutes),
        TEST(trouble_that_lasts_is_said_again),
        TEST(reasons_that_differ_in_numbers_are_one),
        TEST(any_number_of_reasons_is_a_bounded_number_of_lines),
        TEST(ipv6_that_carried_nothing_is_left_out_for_some_minutes),
        TEST(where_there_is_no_ipv4_it_is_ipv6_again_at_once),
        TEST(expired_commands_have_one_notice_per_chat_and_fresh_answers_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
