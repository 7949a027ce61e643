/* What two agents agree on by their HELLOs, whatever versions they are of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/hello.h"

static void ours_says_what_this_program_speaks(void **state)
{
    struct message hello = hello_make("gateway-agent 0.1.0", 30);
    char name[200];
    (void)state;
    assert_int_equal(hello.type, MESSAGE_HELLO);
    assert_int_equal(hello.hello.min_version, PROTOCOL_MIN_VERSION);
    assert_int_equal(hello.hello.max_version, PROTOCOL_MAX_VERSION);
    assert_int_equal(hello.hello.keepalive_secs, 30);
    assert_string_equal(hello.hello.program, "gateway-agent 0.1.0");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    hello = hello_make(name, 0);
    assert_int_equal(strlen(hello.hello.program), sizeof hello.hello.program - 1);
}

static void the_highest_version_that_both_speak_holds(void **state)
{
    static const struct {
        uint16_t our_min, our_max, their_min, their_max;
        unsigned version; /* 0: none */
        const char *old;
    } ROWS[] = {
        {1, 1, 1, 1, 1, ""},     {1, 2, 1, 1, 1, ""},      {1, 1, 1, 2, 1, ""},
        {1, 2, 1, 2, 2, ""},     {1, 3, 1, 2, 2, ""},      {1, 2, 1, 3, 2, ""},
        {1, 3, 2, 2, 2, ""},     {2, 2, 1, 9, 2, ""},      {1, 2, 0, UINT16_MAX, 2, ""},
        {1, 2, 2, 3, 2, ""},     {2, 3, 1, 1, 0, "yours"}, {1, 1, 2, 3, 0, "mine"},
        {1, 2, 3, 4, 0, "mine"}, {1, 2, 0, 0, 0, "yours"}, {1, 2, 3, 1, 0, "mine"}, /* nonsense */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct message_hello ours = {ROWS[i].our_min, ROWS[i].our_max, 0, "mine"};
        struct message_hello theirs = {ROWS[i].their_min, ROWS[i].their_max, 30, "yours"};
        struct hello_terms terms = {99, 99};
        struct why why = {""};
        int err = hello_agree(&ours, &theirs, &terms, &why);
        assert_int_equal(err, ROWS[i].version ? 0 : -EPROTONOSUPPORT);
        assert_int_equal(terms.version, ROWS[i].version ? ROWS[i].version : 99);
        const char *advice = strstr(why.text, "upgrade ");
        assert_string_equal(advice ? advice + strlen("upgrade ") : "", ROWS[i].old);
    }
}

static void both_follow_the_gateways_interval_within_its_bounds(void **state)
{
    static const struct {
        uint16_t ours, theirs;
        unsigned secs; /* 0: out of bounds */
    } ROWS[] = {
        {0, 30, 30},     {30, 0, 30}, {30, 1, 30},  {0, 1, 1},
        {0, 3600, 3600}, {0, 0, 0},   {0, 3601, 0}, {0, UINT16_MAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct message_hello ours = {1, 1, ROWS[i].ours, "a"}, theirs = {1, 1, ROWS[i].theirs, "b"};
        struct hello_terms terms = {0};
        struct why why;
        int err = hello_agree(&ours, &theirs, &terms, &why);
        assert_int_equal(err, ROWS[i].secs ? 0 : -EPROTO);
        assert_int_equal(terms.keepalive_secs, ROWS[i].secs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_says_what_this_program_speaks),
        cmocka_unit_test(the_highest_version_that_both_speak_holds),
        cmocka_unit_test(both_follow_the_gateways_interval_within_its_bounds),
    };
    return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
