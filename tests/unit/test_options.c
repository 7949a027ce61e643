/* The command line of an agent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"

enum { FLAG_LOCAL = 1, FLAG_OTHER = 2, FLAG_NAME = 4 };

static const struct option_flag FLAGS[] = {
    {"--local", "without Telegram", FLAG_LOCAL, NULL},
    {"--other", "something else", FLAG_OTHER, NULL},
    {"--name", "a name", FLAG_NAME, "NAME"},
};
static const struct options_table TABLE = {"agent", "An agent.", FLAGS, 3};

#define PARSE(ret_options, why, ...)                                                        \
    options_parse(&TABLE, (int)(sizeof((char *[]){"agent", __VA_ARGS__}) / sizeof(char *)), \
                  (char *[]){"agent", __VA_ARGS__}, ret_options, why)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(common_and_own_flags_are_told_apart),
        cmocka_unit_test(the_env_file_is_named_in_either_form),
        cmocka_unit_test(a_value_follows_its_option_in_either_form),
        cmocka_unit_test(an_env_file_without_a_name_is_refused),
        cmocka_unit_test(what_is_unknown_is_refused_without_repeating_a_value),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
