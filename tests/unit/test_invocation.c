/* The command line of pamctl. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/invocation.h"

#define WORDS(...)                                                                \
    (int)(sizeof((char *[]){"pamctl", __VA_ARGS__}) / sizeof(char *)), (char *[]) \
    {                                                                             \
        "pamctl", __VA_ARGS__, NULL                                               \
    }

static void options_stand_anywhere_and_in_each_form(void **state)
{
    struct invocation invocation;
    (void)state;
    assert_int_equal(
        invocation_parse(WORDS("--json", "rdp", "--out", "f", "HOME-PC"), &invocation, NULL), 0);
    assert_string_equal(invocation.command->name, "rdp");
    assert_string_equal(invocation.out, "f");
    assert_int_equal(invocation.count, 1);
    assert_string_equal(invocation.args[0], "HOME-PC");
    assert_int_equal(invocation.options, OPTION_JSON | OPTION_OUT);
    assert_int_equal(
        invocation_parse(WORDS("--socket=a=b", "rdp", "x", "--out=-"), &invocation, NULL), 0);
    assert_string_equal(invocation.socket_path, "a=b");
    assert_string_equal(invocation.out, "-");
}

/* vps-agent is asked about all but these two, and somebody reads what it says. */
static void every_answer_is_shown(void **state)
{
    (void)state;
    for (const struct command *command = commands_next(NULL); command;
         command = commands_next(command)) {
        bool asked = strcmp(command->name, "help") != 0 && strcmp(command->name, "version") != 0;
        assert_int_equal(command->show != NULL, asked);
    }
}

static void two_hyphens_end_the_options(void **state)
{
    struct invocation invocation;
    (void)state;
    assert_int_equal(invocation_parse(WORDS("ssh", "--", "-x"), &invocation, NULL), 0);
    assert_string_equal(invocation.args[0], "-x");
    assert_false(invocation_wants_json(WORDS("ssh", "--", "--json")));
    assert_true(invocation_wants_json(WORDS("nonsense", "--json")));
}

static void a_timeout_is_a_number_and_means_to_wait(void **state)
{
    static char *const WRONG[] = {"",   "-1", "1.5",     "1s",
                                  " 1", "+1", "1000001", "99999999999999999999"};
    struct invocation invocation;
    struct why why;
    (void)state;
    assert_int_equal(invocation_parse(WORDS("drain", "--timeout", "0"), &invocation, NULL), 0);
    assert_int_equal(invocation.timeout_s, 0);
    assert_int_equal(invocation.options, OPTION_TIMEOUT | OPTION_WAIT);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        assert_int_equal(invocation_parse(WORDS("drain", "--timeout", WRONG[i]), &invocation, &why),
                         -EINVAL);
        assert_memory_equal(why.text, "--timeout takes a ", 18);
    }
}

static void what_is_wrong_is_said_with_what_is_right(void **state)
{
    static const struct {
        char *words[4];
        const char *says;
    } WRONG[] = {
        {{NULL}, "no command is given; see pamctl --help"},
        {{"statsu"}, "unknown command statsu; did you mean status?"},
        {{"frobnicate"}, "unknown command frobnicate; see pamctl --help"},
        {{"drain", "--wiat"}, "unknown option --wiat; did you mean --wait?"},
        {{"--ouf=secret", "rdp"}, "unknown option --ouf; did you mean --out?"},
        {{"drain", "-x"}, "unknown option -x; see pamctl --help"},
        {{"rdp", "x", "--out"}, "--out takes a value: --out FILE"},
        {{"status", "--json=x"}, "--json takes no value; see pamctl --help"},
        {{"close"}, "close is not complete without ID; usage: pamctl close ID"},
        {{"close", "a", "b"}, "close takes no more arguments: b; usage: pamctl close ID"},
        {{"status", "--wait"}, "status takes no --wait; usage: pamctl status"},
        {{"drain", "--wait", "--off"}, "--off opens sessions again: there is nothing to wait for"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct invocation invocation;
        struct why why = {""};
        char *argv[6] = {"pamctl"};
        int argc = 1;
        while (argc < 5 && WRONG[i].words[argc - 1]) {
            argv[argc] = WRONG[i].words[argc - 1];
            argc++;
        }
        assert_int_equal(invocation_parse(argc, argv, &invocation, &why), -EINVAL);
        assert_string_equal(why.text, WRONG[i].says);
    }
}

static void who_asks_for_help_need_not_have_finished(void **state)
{
    struct invocation invocation;
    (void)state;
    assert_int_equal(invocation_parse(WORDS("-h"), &invocation, NULL), 0);
    assert_null(invocation.command);
    assert_int_equal(invocation_parse(WORDS("admit", "a", "--help"), &invocation, NULL), 0);
    assert_string_equal(invocation.command->name, "admit");
    assert_int_equal(invocation_parse(WORDS("-V"), &invocation, NULL), 0);
    assert_int_equal(invocation.options, OPTION_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_and_in_each_form),
        cmocka_unit_test(every_answer_is_shown),
        cmocka_unit_test(two_hyphens_end_the_options),
        cmocka_unit_test(a_timeout_is_a_number_and_means_to_wait),
        cmocka_unit_test(what_is_wrong_is_said_with_what_is_right),
        cmocka_unit_test(who_asks_for_help_need_not_have_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
