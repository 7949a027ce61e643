/* The command line of an agent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"

enum {
    FLAG_LOCAL = 1,
    FLAG_OTHER = 2,
    FLAG_NAME = 4,
    FLAG_SETUP = 8,
    FLAG_HOST = 16,
    FLAG_KEY = 32
};

static int act(const struct options *options)
{
    (void)options;
    return 0;
}

static const struct option_flag FLAGS[] = {
    {"--local", "without Telegram", .bit = FLAG_LOCAL},
    {"--other", "something else", .bit = FLAG_OTHER},
    {"--name", "a name", FLAG_NAME, .takes = "NAME"},
    {"--setup", "sets up", FLAG_SETUP, NULL, .action = act},
    {"--host", "a host", FLAG_HOST, "HOST", .with = FLAG_SETUP},
    {"--key", "a key", FLAG_KEY, NULL, .action = act},
    {"--ask", "asks", 128, "A B [C]", .words = 2, .action = act},
    {"--here", "runs here", 64, NULL, .with = OPTION_RUN | OPTION_CHECK},
};
static const struct options_table TABLE = {"agent", "An agent.", FLAGS,
                                           sizeof FLAGS / sizeof *FLAGS, .without_file = FLAG_KEY};

#define PARSE(ret_options, why, ...)                                                        \
    options_parse(&TABLE, (int)(sizeof((char *[]){"agent", __VA_ARGS__}) / sizeof(char *)), \
                  (char *[]){"agent", __VA_ARGS__, NULL}, ret_options, why)

static void nothing_is_fine(void **state)
{
    struct options options = {.check = true};
    char *argv[] = {"agent", NULL};
    (void)state;
    assert_int_equal(options_parse(&TABLE, 1, argv, &options, NULL), 0);
    assert_null(options.env_file);
    assert_false(options.check || options.version || options.help || options.flags);
    assert_int_equal(options_parse(&TABLE, 0, argv + 1, &options, NULL), 0);
}

static void common_and_own_flags_are_told_apart(void **state)
{
    struct options options;
    (void)state;
    assert_int_equal(PARSE(&options, NULL, "--check", "--other"), 0);
    assert_true(options.check && !options.version && !options.help);
    assert_int_equal(options.flags, FLAG_OTHER);
    assert_int_equal(PARSE(&options, NULL, "--help", "--version", "--local", "--other"), 0);
    assert_true(!options.check && options.version && options.help);
    assert_int_equal(options.flags, FLAG_LOCAL | FLAG_OTHER);
}

static void the_env_file_is_named_in_either_form(void **state)
{
    struct options options;
    (void)state;
    assert_int_equal(PARSE(&options, NULL, "--env-file", "/etc/a.env", "--check"), 0);
    assert_string_equal(options.env_file, "/etc/a.env");
    assert_true(options.check);
    assert_int_equal(PARSE(&options, NULL, "--env-file=b=c.env"), 0);
    assert_string_equal(options.env_file, "b=c.env");
}

static void a_value_follows_its_option_in_either_form(void **state)
{
    struct options options;
    struct why why;
    (void)state;
    assert_int_equal(PARSE(&options, NULL, "--name", "home", "--other"), 0);
    assert_string_equal(options_value(&options, FLAG_NAME), "home");
    assert_int_equal(options.flags, FLAG_NAME | FLAG_OTHER);
    assert_int_equal(PARSE(&options, NULL, "--name=-"), 0);
    assert_string_equal(options_value(&options, FLAG_NAME), "-");
    assert_int_equal(PARSE(&options, NULL, "--other"), 0);
    assert_null(options_value(&options, FLAG_NAME));
    assert_int_equal(PARSE(&options, &why, "--name"), -EINVAL);
    assert_string_equal(why.text, "--name takes a value: --name NAME");
    assert_int_equal(PARSE(&options, &why, "--name="), -EINVAL);
    assert_int_equal(PARSE(&options, &why, "--other=x"), -EINVAL);
    assert_int_equal(PARSE(&options, &why, "--names", "x"), -EINVAL);
}

static void an_env_file_without_a_name_is_refused(void **state)
{
    struct options options = {.check = true};
    char *argv[] = {"agent", "--env-file", NULL};
    struct why why;
    (void)state;
    assert_int_equal(options_parse(&TABLE, 2, argv, &options, &why), -EINVAL);
    assert_non_null(strstr(why.text, "--env-file takes the name of a file"));
    assert_int_equal(PARSE(&options, &why, "--env-file="), -EINVAL);
    assert_true(options.check); /* untouched */
}

static void what_is_unknown_is_refused_without_repeating_a_value(void **state)
{
    struct options options;
    struct why why;
    (void)state;
    assert_int_equal(PARSE(&options, &why, "--tunnel-key=5ec2e7"), -EINVAL);
    assert_non_null(strstr(why.text, "unknown option --tunnel-key,"));
    assert_null(strstr(why.text, "5ec2e7"));
    assert_int_equal(PARSE(&options, &why, "-k5ec2e7"), -EINVAL);
    assert_non_null(strstr(why.text, "unknown option -k,"));
    assert_null(strstr(why.text, "5ec2e7"));
    assert_int_equal(PARSE(&options, &why, "5ec2e7"), -EINVAL);
    assert_null(strstr(why.text, "5ec2e7"));
    assert_int_equal(PARSE(&options, &why, "--env-filex"), -EINVAL);
    assert_int_equal(PARSE(&options, &why, "--"), -EINVAL);
    assert_int_equal(PARSE(&options, &why, ""), -EINVAL);
    assert_int_equal(PARSE(&options, &why, "--checks"), -EINVAL);
}

static void the_usual_short_forms_and_the_word_are_taken(void **state)
{
    struct options options;
    (void)state;
    assert_int_equal(PARSE(&options, NULL, "-h"), 0);
    assert_true(options.help && !options.version);
    assert_int_equal(PARSE(&options, NULL, "-V"), 0);
    assert_true(options.version && !options.help);
    assert_int_equal(PARSE(&options, NULL, "help"), 0);
    assert_true(options.help);
    assert_int_equal(PARSE(&options, NULL, "--setup", "--key", "-h"),
                     0); /* help is never refused */
    assert_true(options.help);
}

static void says(const char *arg, const char *words)
{
    struct options options;
    struct why why = {""};
    assert_int_equal(PARSE(&options, &why, (char *)arg), -EINVAL);
    if (!strstr(why.text, words)) {
        fail_msg("%s: no word of '%s' in: %s", arg, words, why.text);
    }
}

static void what_may_be_meant_is_said(void **state)
{
    (void)state;
    says("--stup", "unknown option --stup (did you mean --setup?)");
    says("--envfile", "(did you mean --env-file?)");
    says("-check", "unknown option -c (did you mean --check?)");
    says("setup", "takes options only (did you mean --setup?)");
    says("--locl=x", "(did you mean --local?)");
    says("--check=yes", "--check takes no value");
    says("--frobnicate", "unknown option --frobnicate, see --help");
}

static void what_has_no_effect_together_is_refused_with_where_it_has_one(void **state)
{
    struct options options;
    struct why why;
    (void)state;
    assert_int_equal(PARSE(&options, &why, "--host", "x", "--check"), -EINVAL);
    assert_string_equal(why.text, "no effect with --check: --host (goes with --setup)");
    assert_int_equal(PARSE(&options, &why, "--host=x"), -EINVAL);
    assert_string_equal(why.text, "no effect with a plain start: --host (goes with --setup)");
    assert_int_equal(PARSE(&options, &why, "--here", "--host=x", "--key"), -EINVAL);
    assert_string_equal(why.text, "no effect with --key: --host (goes with --setup), --here (goes "
                                  "with a plain start, --check)");
    assert_int_equal(PARSE(&options, &why, "--env-file=x", "--key"), -EINVAL);
    assert_string_equal(why.text, "no effect with --key: --env-file");
    assert_int_equal(PARSE(&options, &why, "--setup", "--check"), -EINVAL);
    assert_string_equal(why.text, "only one of --check, --setup at a time");
    assert_int_equal(PARSE(&options, &why, "--health", "--check"), -EINVAL);
    assert_int_equal(PARSE(&options, &why, "--setup", "--host", "x", "--env-file", "y"), 0);
    assert_int_equal(PARSE(&options, &why, "--here", "--check"), 0);
    assert_int_equal(PARSE(&options, &why, "--here"), 0);
}

static void words_follow_an_option_up_to_the_next_one(void **state)
{
    struct options options;
    (void)state;
    assert_int_equal(PARSE(&options, NULL, "--ask", "a", "b", "--env-file", "x"), 0);
    assert_string_equal(options_value(&options, 128), "a");
    assert_int_equal(options.word_count, 1);
    assert_string_equal(options.words[0], "b");
    assert_string_equal(options.env_file, "x");
    assert_int_equal(PARSE(&options, NULL, "--ask=a", "b", "c"), 0);
    assert_int_equal(options.word_count, 2);
    assert_string_equal(options.words[1], "c");
    assert_int_equal(PARSE(&options, NULL, "--ask", "a"), 0);
    assert_int_equal(options.word_count, 0);
    assert_int_equal(PARSE(&options, NULL, "--ask", "a", "b", "c", "d"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(common_and_own_flags_are_told_apart),
        cmocka_unit_test(the_env_file_is_named_in_either_form),
        cmocka_unit_test(a_value_follows_its_option_in_either_form),
        cmocka_unit_test(words_follow_an_option_up_to_the_next_one),
        cmocka_unit_test(an_env_file_without_a_name_is_refused),
        cmocka_unit_test(the_usual_short_forms_and_the_word_are_taken),
        cmocka_unit_test(what_may_be_meant_is_said),
        cmocka_unit_test(what_has_no_effect_together_is_refused_with_where_it_has_one),
        cmocka_unit_test(what_is_unknown_is_refused_without_repeating_a_value),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
