/* Configuration: where a value comes from, and what is said when it is wrong. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/host.h"
#include "base/log.h"
#include "base/settings.h"

struct values {
    char text[41];
    char secret[41];
    char host[HOST_MAX + 1];
    long number;
    uint16_t port;
    enum log_level level;
};

#define FIELD(name) .offset = offsetof(struct values, name)

static int parse_secret(const struct setting *setting, const char *text, void *field,
                        struct why *why)
{
    if (strlen(text) != 8) {
        return why_set(why, -EINVAL, "it has %zu characters", strlen(text));
    }
    return setting_text(setting, text, field, why);
}

static const struct setting_type SECRET = {parse_secret, 0, NULL, NULL};

static const struct setting TABLE[] = {
    {"T_TEXT", "default", "at most 40 characters", &SETTING_TEXT, FIELD(text), .max = 40},
    {"T_SECRET", NULL, "8 characters", &SECRET, FIELD(secret), .max = 40, .secret = true,
     .optional = true},
    {"T_HOST", NULL, "a name", &SETTING_HOST, FIELD(host), .optional = true},
    {"T_NUMBER", "7", "a number, -5 to 100", &SETTING_NUMBER, FIELD(number), .min = -5, .max = 100},
    {"T_PORT", "22", "a port, 1 to 65535", &SETTING_PORT, FIELD(port)},
    {"RUST_LOG", NULL, "a level", &SETTING_RUST_LOG, FIELD(level), .optional = true},
    {"T_LEVEL", NULL, "error, warn, info, debug or trace", &SETTING_LOG_LEVEL, FIELD(level),
     .optional = true},
};

static const struct settings_table TABLES[] = {{TABLE, sizeof TABLE / sizeof *TABLE, 0},
                                               {NULL, 0, 0}};

static char folder[] = "/tmp/test_settings.XXXXXX";

/* ---- the surroundings ----------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *file_of_size(const char *name, const char *content, size_t size)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    fclose(file);
    return path_of(name);
}

static const char *file_of(const char *name, const char *content)
{
    return file_of_size(name, content, strlen(content));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_of("env"));
    unlink(path_of("value"));
    return rmdir(folder);
}

static int clean_environment(void **state)
{
    static const char *const NAMES[] = {"T_TEXT",        "T_TEXT_FILE", "T_SECRET",
                                        "T_SECRET_FILE", "T_HOST",      "T_NUMBER",
                                        "T_PORT",        "T_LEVEL",     "RUST_LOG"};
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        unsetenv(NAMES[i]);
    }
    return 0;
}

/* Opens and loads; env is the content of an env file, or NULL. */
static int load(const char *env, struct values *values, struct why *why)
{
    struct settings_source *source;
    int err = settings_open(env ? file_of("env", env) : NULL, &source, why);
    if (err == 0) {
        err = settings_load(source, TABLES, values, why);
        settings_close(source);
    }
    return err;
}

static void assert_loads(const char *env, struct values *values)
{
    struct why why = {""};
    memset(values, 0, sizeof *values);
    if (load(env, values, &why) != 0) {
        fail_msg("refused: %s", why.text);
    }
}

static void assert_refused(const char *env, const char *because)
{
    struct values values = {0};
    struct why why = {""};
    assert_int_equal(load(env, &values, &why), -EINVAL);
    if (!strstr(why.text, because)) {
        fail_msg("refused because \"%s\", not \"%s\"", why.text, because);
    }
}

/* ---- where a value comes from --------------------------------------------- */

static void a_line_with_something_hidden_in_it_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } FILES[] = {
#define HIDDEN(text) {text, sizeof text - 1}
        HIDDEN("\0T_NUMBER=8"), /* the last line, without a line feed */
        HIDDEN("T_TEXT=a\0b"),
        HIDDEN("T_TEXT=a\nT_NUMBER=\0"
               "8\n"),
        HIDDEN("# of a Macintosh\rT_NUMBER=8\r"),
        HIDDEN("\xef\xbb\xbf# what it is\0\nT_NUMBER=8\n"),
        HIDDEN("T_TEXT=a\033[2Jb\n"),
#undef HIDDEN
    };
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        struct settings_source *source;
        struct why why = {""};
        const char *path = file_of_size("env", FILES[i].text, FILES[i].size);
        assert_int_equal(settings_open(path, &source, &why), -EINVAL);
        assert_non_null(strstr(why.text, "a control character"));
    }
}

static void line_ends_and_tabs_are_nothing_hidden(void **state)
{
    struct values values;
    (void)state;
    assert_loads("\xef\xbb\xbf# it is\tso\r\nT_TEXT=\ta b\t\r\n\tT_NUMBER=8\r\r\nT_PORT=9\r",
                 &values);
    assert_string_equal(values.text, "a b");
    assert_int_equal(values.number, 8);
    assert_int_equal(values.port, 9);
}

static void what_nobody_set_has_its_default(void **state)
{
    struct values values;
    (void)state;
    assert_loads(NULL, &values);
    assert_string_equal(values.text, "default");
    assert_int_equal(values.number, 7);
    assert_int_equal(values.port, 22);
    assert_string_equal(values.host, "");
    assert_string_equal(values.secret, "");
}

static void the_environment_comes_before_the_env_file(void **state)
{
    struct values values;
    (void)state;
    setenv("T_TEXT", "environment", 1);
    assert_loads("T_TEXT=file\nT_NUMBER=9\n", &values);
    assert_string_equal(values.text, "environment");
    assert_int_equal(values.number, 9);
    setenv("T_TEXT", "", 1); /* as good as not set */
    assert_loads("T_TEXT=file\n", &values);
    assert_string_equal(values.text, "file");
    assert_loads("T_TEXT=\nT_NUMBER=\"\"\n", &values);
    assert_string_equal(values.text, "default");
    assert_int_equal(values.number, 7);
}

static void name_file_gives_the_first_line_of_a_file(void **state)
{
    static const char *const CONTENTS[] = {"12345678", "12345678\n", "12345678\r\n", " 12345678 \n",
                                           "12345678\n#\n"};
    struct values values;
    (void)state;
    for (size_t i = 0; i < sizeof CONTENTS / sizeof *CONTENTS; i++) {
        setenv("T_SECRET_FILE", file_of("value", CONTENTS[i]), 1);
        assert_loads(NULL, &values);
        assert_string_equal(values.secret, "12345678");
    }
    unsetenv("T_SECRET_FILE");
    char env[PATH_MAX + 32];
    snprintf(env, sizeof env, "T_SECRET_FILE='%s'\n", path_of("value"));
    assert_loads(env, &values);
    assert_string_equal(values.secret, "12345678");
}

static void the_nearer_place_wins_whatever_the_form(void **state)
{
    struct values values;
    char env[PATH_MAX + 64];
    (void)state;
    setenv("T_TEXT_FILE", file_of("value", "from a file\n"), 1);
    assert_loads("T_TEXT=env file\n", &values);
    assert_string_equal(values.text, "from a file");
    setenv("T_TEXT", "direct", 1);
    assert_loads("T_TEXT=env file\n", &values);
    assert_string_equal(values.text, "direct");
    clean_environment(NULL);
    snprintf(env, sizeof env, "T_TEXT_FILE=%s\nT_TEXT=env file\n", path_of("value"));
    assert_loads(env, &values);
    assert_string_equal(values.text, "env file");
}

static void a_named_file_that_is_missing_or_empty_is_said_with_its_name(void **state)
{
    struct values values;
    struct why why;
    (void)state;
    setenv("T_SECRET_FILE", path_of("missing"), 1);
    assert_int_equal(load(NULL, &values, &why), -ENOENT);
    assert_non_null(strstr(why.text, "T_SECRET_FILE is "));
    assert_non_null(strstr(why.text, "/missing, which cannot be read"));
    setenv("T_SECRET_FILE", file_of("value", ""), 1);
    assert_loads(NULL, &values); /* as good as none, where none is needed */
    assert_int_equal(values.secret[0], '\0');
    setenv("T_TEXT_FILE", file_of("value", ""), 1);
    assert_refused(NULL, "T_TEXT_FILE is ");
    unsetenv("T_TEXT_FILE");
    setenv("T_SECRET_FILE", file_of("value", "\n12345678\n"), 1);
    assert_refused(NULL, "first line is empty");
    setenv("T_SECRET_FILE", folder, 1);
    assert_refused(NULL, "T_SECRET_FILE is ");
}

static void a_named_file_with_too_long_a_line_is_not_cut_into_another_value(void **state)
{
    enum { LONG = 100000 };
    char *content = malloc(LONG);
    (void)state;
    memset(content, ' ', LONG); /* cut and trimmed, this would be an x */
    content[0] = 'x';
    content[LONG - 1] = 'y';
    setenv("T_TEXT_FILE", file_of_size("value", content, LONG), 1);
    free(content);
    assert_refused(NULL, "T_TEXT_FILE is ");
    assert_refused(NULL, "too long");
}

/* ---- the env file --------------------------------------------------------- */

static void an_env_file_is_read_as_people_write_them(void **state)
{
    static const struct {
        const char *env, *text;
    } ROWS[] = {
        {"T_TEXT=a", "a"},                   /* no newline at the end */
        {"T_TEXT=a\r\nT_NUMBER=8\r\n", "a"}, /* from Windows */
        {"  T_TEXT = a b \n", "a b"},
        {"export T_TEXT=a\n", "a"},
        {"export   T_TEXT=a\n", "a"},
        {"T_TEXT=\"a b\"\n", "a b"},
        {"T_TEXT='a \"b\"'\n", "a \"b\""},
        {"T_TEXT=\" a \"\r\n", " a "},
        {"T_TEXT=a=b#c\n", "a=b#c"},
        {"T_TEXT=a'b\n", "a'b"},
        {"T_TEXT=$HOME\n", "$HOME"},
        {"\n\n# T_TEXT=b\n  # x\n\t\nT_TEXT=a\n", "a"},
        {"T_TEXT=a\nT_TEXT=b\n", "b"}, /* as in a shell */
        {"T_TEXT=a\nt_text=b\nT_TEXT2=c\n", "a"},
        {"T_TEXT=\n", "default"},
        {"T_TEXT=''\n", "default"},
        {"", "default"},
        {"#", "default"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct values values;
        assert_loads(ROWS[i].env, &values);
        assert_string_equal(values.text, ROWS[i].text);
    }
}

static void a_broken_line_is_named_by_number_and_never_repeated(void **state)
{
    static const struct {
        const char *env, *line;
    } ROWS[] = {
        {"5ec2e7\n", "line 1"},
        {"T_TEXT=a\n\n5ec2e7", "line 3"},
        {"T_SECRET 5ec2e7\n", "line 1"},
        {"=5ec2e7\n", "line 1"},
        {"A B=5ec2e7\n", "line 1"},
        {"export =5ec2e7\n", "line 1"},
        {"export\n", "line 1"},
        {"T_SECRET=\"5ec2e7\n", "line 1"},
        {"T_SECRET='5ec2e7\"\n", "line 1"},
        {"T_SECRET=\"\n", "line 1"},
        {"T_SECRET=\"5ec2e7\" # why\n", "line 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct values values;
        struct why why = {""};
        assert_int_equal(load(ROWS[i].env, &values, &why), -EINVAL);
        if (!strstr(why.text, ROWS[i].line) || !strstr(why.text, "/env, ")) {
            fail_msg("row %zu: %s", i, why.text);
        }
        assert_null(strstr(why.text, "5ec2e7"));
    }
}

static void what_is_wrong_with_a_line_is_said(void **state)
{
    (void)state;
    assert_refused("T_TEXT=a # why\n", "line 1: a comment after a value");
    assert_refused("T_TEXT=a\t#why\n", "a comment after a value");
    assert_refused("T_SECRET='5ec2e7' # why\n", "a comment after a value");
    assert_refused("T_SECRET='5ec2e7\n", "a quote that is not closed");
    assert_refused("T_TEXT\n", "not of the form NAME=value");
    struct values values;
    assert_loads("T_TEXT='a # b'\n", &values);
    assert_string_equal(values.text, "a # b");
}

static void a_byte_order_mark_is_skipped_and_utf_16_named(void **state)
{
    struct values values;
    struct settings_source *source;
    struct why why;
    (void)state;
    assert_loads("\xef\xbb\xbfT_TEXT=a\n", &values);
    assert_string_equal(values.text, "a");
    setenv("T_SECRET_FILE",
           file_of("value", "\xef\xbb\xbf"
                            "12345678\r\n"),
           1);
    assert_loads(NULL, &values);
    assert_string_equal(values.secret, "12345678");
    setenv("T_SECRET_FILE",
           file_of_size("value",
                        "\xff\xfe"
                        "1\0"
                        "2\0\n\0",
                        8),
           1);
    assert_refused(NULL, "UTF-16");
    unsetenv("T_SECRET_FILE");
    assert_int_equal(settings_open(file_of_size("env", "\xfe\xff\0T\0_\0\n", 8), &source, &why),
                     -EILSEQ);
    assert_non_null(strstr(why.text, "line 1: it is UTF-16"));
}

static void what_has_to_be_set_is_given_or_not(void **state)
{
    static const struct setting NEEDED[] = {{.name = "T_TEXT"},
                                            {.name = "T_HOST", .optional = true},
                                            {.name = "T_PORT", .default_value = "1"}};
    static const struct settings_table NEEDED_TABLES[] = {
        {NEEDED, 2, 0}, {NEEDED + 2, 1, 0}, {NULL, 0, 0}};
    char value[SETTING_VALUE_MAX];
    (void)state;
    assert_false(settings_are_given(NEEDED_TABLES));
    setenv("T_TEXT", "", 1);
    assert_false(settings_are_given(NEEDED_TABLES));
    setenv("T_TEXT_FILE", "x", 1);
    assert_true(settings_are_given(NEEDED_TABLES));
    unsetenv("T_TEXT_FILE");
    assert_int_equal(settings_peek(file_of("env", "T_TEXT=a\n"), "T_TEXT", value, NULL), 0);
    assert_string_equal(value, "a");
    setenv("T_TEXT", "b", 1);
    assert_int_equal(settings_peek("/nonexistent/env", "T_TEXT", value, NULL), 0);
    assert_string_equal(value, "b");
    assert_int_equal(settings_peek(NULL, "T_HOST", value, NULL), 0);
    assert_string_equal(value, "");
}

static void a_line_too_long_or_with_a_nul_is_broken(void **state)
{
    enum { LONG = 20000 };
    char *content = malloc(LONG);
    struct settings_source *source = NULL;
    struct why why;
    (void)state;
    memset(content, 'x', LONG);
    memcpy(content, "A=1\nT_TEXT=", 11);
    assert_int_equal(settings_open(file_of_size("env", content, LONG), &source, &why), -EINVAL);
    assert_non_null(strstr(why.text, "line 2"));
    assert_int_equal(settings_open(file_of_size("env", "T_TEXT=a\0b\nB=1\n", 15), &source, &why),
                     -EINVAL);
    assert_non_null(strstr(why.text, "line 1"));
    assert_null(source);
    free(content);
}

static void an_env_file_that_cannot_be_read_is_an_error(void **state)
{
    struct settings_source *source = NULL;
    struct why why;
    (void)state;
    assert_int_equal(settings_open(path_of("missing"), &source, &why), -ENOENT);
    assert_non_null(strstr(why.text, "/missing"));
    assert_int_equal(settings_open(folder, &source, &why), -EIO);
    assert_non_null(strstr(why.text, folder));
    assert_null(source);
    settings_close(NULL);
}

/* ---- wrong values --------------------------------------------------------- */

static void a_wrong_value_is_said_with_its_name_and_what_it_takes(void **state)
{
    (void)state;
    assert_refused("T_NUMBER=abc\n", "T_NUMBER is \"abc\"; it takes a number, -5 to 100");
    assert_refused("T_TEXT=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
                   "\": longer than 40 characters; it takes at most 40 characters");
    setenv("T_PORT", "65536", 1);
    assert_refused(NULL, "T_PORT is \"65536\"; it takes a port, 1 to 65535");
}

static void a_required_value_that_is_missing_is_said(void **state)
{
    static const struct setting REQUIRED = {"T_TEXT", NULL, "anything", &SETTING_TEXT, .max = 40};
    static const struct settings_table REQUIRED_TABLES[] = {{&REQUIRED, 1, 0}, {NULL, 0, 0}};
    struct settings_source *source;
    struct values values;
    struct why why;
    (void)state;
    assert_int_equal(settings_open(NULL, &source, &why), 0);
    assert_int_equal(settings_load(source, REQUIRED_TABLES, &values, &why), -EINVAL);
    assert_string_equal(why.text, "T_TEXT is not set; it takes anything");
    setenv("T_TEXT", "x", 1);
    assert_int_equal(settings_load(source, REQUIRED_TABLES, &values, &why), 0);
    settings_close(source);
}

static void a_secret_is_never_shown(void **state)
{
    struct values values;
    struct why why;
    (void)state;
    setenv("T_SECRET", "5ec2e75ec2e7", 1);
    assert_int_equal(load(NULL, &values, &why), -EINVAL);
    assert_string_equal(
        why.text, "T_SECRET is wrong (its 12 characters are not shown): it has 12 characters; it "
                  "takes 8 characters");
    unsetenv("T_SECRET");
    setenv("T_SECRET_FILE", file_of("value", "5ec2e75ec2e7\n"), 1);
    assert_int_equal(load(NULL, &values, &why), -EINVAL);
    assert_null(strstr(why.text, "5ec2"));
}

static void a_value_of_any_length_is_refused_in_one_line(void **state)
{
    enum { LONG = 20000 };
    char *value = malloc(LONG + 1);
    (void)state;
    memset(value, 'x', LONG);
    value[LONG] = '\0';
    setenv("T_TEXT", value, 1);
    assert_refused(NULL, "T_TEXT is longer than ");
    value[8000] = '\0';
    setenv("T_TEXT", value, 1);
    assert_refused(NULL, "it takes at most 40 characters"); /* not cut off by the value */
    free(value);
}

static void a_failure_leaves_the_field_as_it_was(void **state)
{
    struct values values = {.number = 42};
    struct why why;
    (void)state;
    assert_int_equal(load("T_NUMBER=101\n", &values, &why), -EINVAL);
    assert_int_equal(values.number, 42);
}

/* ---- parsers -------------------------------------------------------------- */

struct parse_row {
    const char *text;
    int err;
    long value;
};

static void numbers_are_decimal_and_within_their_bounds(void **state)
{
    static const struct parse_row ROWS[] = {
        {"0", 0, 0},
        {"100", 0, 100},
        {"007", 0, 7},
        {"101", -EINVAL, 0},
        {"-1", -EINVAL, 0}, /* no setting is negative, so no sign is taken */
        {"+1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1s", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"1e1", -EINVAL, 0},
        {"99999999999999999999", -EINVAL, 0},
        {"18446744073709551617", -EINVAL, 0},
        {"", -EINVAL, 0},
    };
    static const struct setting NUMBER = {.min = -5, .max = 100};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        long value = -77;
        int err = SETTING_NUMBER.parse(&NUMBER, ROWS[i].text, &value, NULL);
        if (err != ROWS[i].err || value != (err ? -77 : ROWS[i].value)) {
            fail_msg("\"%s\": %d, %ld", ROWS[i].text, err, value);
        }
    }
}

static void ports_are_1_to_65535(void **state)
{
    static const struct parse_row ROWS[] = {
        {"1", 0, 1},           {"65535", 0, 65535},    {"0", -EINVAL, 0},
        {"65536", -EINVAL, 0}, {"131094", -EINVAL, 0}, {"ssh", -EINVAL, 0},
    };
    static const struct setting PORT = {.name = "PORT"};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        uint16_t port = 7;
        assert_int_equal(SETTING_PORT.parse(&PORT, ROWS[i].text, &port, NULL), ROWS[i].err);
        assert_int_equal(port, ROWS[i].err ? 7 : ROWS[i].value);
    }
}

static void hosts_are_checked(void **state)
{
    char host[HOST_MAX + 1] = "before";
    (void)state;
    assert_int_equal(SETTING_HOST.parse(NULL, "a b", host, NULL), -EINVAL);
    assert_int_equal(SETTING_HOST.parse(NULL, "https://a", host, NULL), -EINVAL);
    assert_string_equal(host, "before");
    assert_int_equal(SETTING_HOST.parse(NULL, "vps.example.org", host, NULL), 0);
    assert_string_equal(host, "vps.example.org");
    assert_int_equal(SETTING_HOST.parse(NULL, "fd00::1", host, NULL), 0);
    assert_string_equal(host, "fd00::1");
}

static void rust_log_gives_the_first_plain_level_and_log_level_wins(void **state)
{
    static const struct {
        const char *text;
        enum log_level level;
    } ROWS[] = {
        {"debug", LOG_DEBUG},
        {"warn,net=debug", LOG_WARN},
        {"net=debug,error", LOG_ERROR},
        {"net=debug", LOG_INFO}, /* as it was */
        {"a_very_long_crate_name::module=trace,trace", LOG_TRACE},
        {",,,", LOG_INFO},
        {"off", LOG_INFO},
        {"debug,", LOG_DEBUG},
    };
    struct values values;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        enum log_level level = LOG_INFO;
        assert_int_equal(SETTING_RUST_LOG.parse(NULL, ROWS[i].text, &level, NULL), 0);
        assert_int_equal(level, ROWS[i].level);
    }
    setenv("RUST_LOG", "debug", 1);
    assert_loads(NULL, &values);
    assert_int_equal(values.level, LOG_DEBUG);
    assert_loads("T_LEVEL=warn\n", &values);
    assert_int_equal(values.level, LOG_WARN);
    assert_refused("T_LEVEL=loud\n", "T_LEVEL is \"loud\"; it takes error, warn");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clean_environment, clean_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_with_something_hidden_in_it_is_refused),
        TEST(line_ends_and_tabs_are_nothing_hidden),
        TEST(what_nobody_set_has_its_default),
        TEST(the_environment_comes_before_the_env_file),
        TEST(name_file_gives_the_first_line_of_a_file),
        TEST(the_nearer_place_wins_whatever_the_form),
        TEST(a_named_file_that_is_missing_or_empty_is_said_with_its_name),
        TEST(a_named_file_with_too_long_a_line_is_not_cut_into_another_value),
        TEST(an_env_file_is_read_as_people_write_them),
        TEST(a_broken_line_is_named_by_number_and_never_repeated),
        TEST(what_is_wrong_with_a_line_is_said),
        TEST(a_byte_order_mark_is_skipped_and_utf_16_named),
        TEST(what_has_to_be_set_is_given_or_not),
        TEST(a_line_too_long_or_with_a_nul_is_broken),
        TEST(an_env_file_that_cannot_be_read_is_an_error),
        TEST(a_wrong_value_is_said_with_its_name_and_what_it_takes),
        TEST(a_required_value_that_is_missing_is_said),
        TEST(a_secret_is_never_shown),
        TEST(a_value_of_any_length_is_refused_in_one_line),
        TEST(a_failure_leaves_the_field_as_it_was),
        TEST(numbers_are_decimal_and_within_their_bounds),
        TEST(ports_are_1_to_65535),
        TEST(hosts_are_checked),
        TEST(rust_log_gives_the_first_plain_level_and_log_level_wins),
    };
    return cmocka_run_group_tests_name("settings", tests, make_folder, remove_folder);
}
