/* The names that may stand in an env file, and what is said of others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vocabulary.h"

static const struct setting FIRST[] = {{.name = "ALLOWED_TARGETS"}, {.name = "ADMIT"}};
static const struct setting SECOND[] = {{.name = "TUNNEL_KEY"}, {.name = "BIND_ADDRESS"}};
static const struct settings_table TABLES[] = {{FIRST, 2, 0}, {SECOND, 2, 0}, {NULL, 0, 0}};
static const char *const OTHERS[] = {"KEEPALIVE_SECS", NULL};
static const char *const ENVIRONMENT[] = {"SSL_CERT_FILE", "V_ZONE", NULL};
static const struct vocabulary VOCABULARY = {
    .tables = TABLES,
    .other_agent = "other-agent",
    .others = OTHERS,
    .environments = ENVIRONMENT,
};

static char path[] = "/tmp/test_vocabulary.XXXXXX";

static void put(const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int check(const char *content, struct why *why)
{
    struct settings_source *source;
    *why = (struct why){""};
    put(content);
    int err = settings_open(path, &source, why);
    if (err == 0) {
        err = vocabulary_check(&VOCABULARY, source, why);
        settings_close(source);
    }
    return err;
}

static void what_is_known_is_fine(void **state)
{
    static const char *const ROWS[] = {
        "",
        "# ALOWED=1\n",
        "ALLOWED_TARGETS=x\nTUNNEL_KEY_FILE=/x\nexport ADMIT='x'\n",
        "\357\273\277ADMIT=x\n",
        "BIND_ADDRESS=\n",
        "ADMIT_FILE=/x\r\n",
    };
    struct why why;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (check(ROWS[i], &why) != 0) {
            fail_msg("row %zu: %s", i, why.text);
        }
    }
    assert_int_equal(vocabulary_check_file(&VOCABULARY, "/nonexistent/x.env", &why), 0);
}

static void what_is_not_known_is_named_with_its_line_and_the_nearest(void **state)
{
    static const struct {
        const char *content, *line, *says;
    } ROWS[] = {
        {"ALLOWED_TARGET=x\n", "line 1",
         "no setting ALLOWED_TARGET (did you mean ALLOWED_TARGETS?)"},
        {"\n# x\nBIND_ADRESS=x\n", "line 3", "(did you mean BIND_ADDRESS?)"},
        {"ADMIT=x\nADMITT=ask\nADMITTT=x\n", "line 2", "no setting ADMITT (did you mean ADMIT?)"},
        {"allowed_targets=x\n", "line 1", "(did you mean ALLOWED_TARGETS?)"},
        {"TUNNEL_KY_FILE=x\n", "line 1", "(did you mean TUNNEL_KEY_FILE?)"},
        {"ADMITT=\n", "line 1", "did you mean ADMIT?"}, /* a value or not */
        {"SOMETHING_ELSE=x\n", "line 1", "no setting SOMETHING_ELSE; --help lists them"},
        {"KEEPALIVE_SECS=x\n", "line 1", "a setting of other-agent"},
        {"KEEPALIVE_SECS_FILE=x\n", "line 1", "a setting of other-agent"},
        {"SSL_CERT_FILE=x\n", "line 1", "only read from the environment"},
        {"ADMIT_=x\n", "line 1", "did you mean ADMIT?"},
        {"_FILE=x\n", "line 1", "no setting _FILE"},
    };
    struct why why;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(check(ROWS[i].content, &why), -EINVAL);
        if (!strstr(why.text, ROWS[i].says) || !strstr(why.text, ROWS[i].line) ||
            !strstr(why.text, path)) {
            fail_msg("no word of '%s' in: %s", ROWS[i].says, why.text);
        }
    }
}

/* Base64 may end with what looks like an assignment. */
static void what_may_be_a_secret_is_not_repeated(void **state)
{
    static const char *const ROWS[] = {
        "5ec2e75ec2e75ec2e7=\n",
        "5ec2e7abcdefghijklmnopqrstuvwxyzabcdefghijk=\n",
        "123456:5ec2e7=\n",
        "X5ec2e7X5ec2e7=1\n",
    };
    struct why why;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(check(ROWS[i], &why), -EINVAL);
        assert_null(strstr(why.text, "5ec2e7"));
        assert_non_null(strstr(why.text, "line 1"));
    }
}

/* The service manager read the same file: then it does something. */
static void what_the_environment_has_as_well_is_in_force(void **state)
{
    struct why why;
    (void)state;
    assert_int_equal(check("V_ZONE=UTC\n", &why), -EINVAL);
    setenv("V_ZONE", "UTC", 1);
    assert_int_equal(check("V_ZONE=UTC\n", &why), 0);
    assert_int_equal(check("V_ZONE=CET\n", &why), -EINVAL);
    setenv("ADMITT", "ask", 1); /* but a setting that there is not never is */
    assert_int_equal(check("ADMITT=ask\n", &why), -EINVAL);
    unsetenv("V_ZONE");
    unsetenv("ADMITT");
}

static void what_is_below_the_line_that_counts_is_said(void **state)
{
    static const struct {
        const char *content;
        bool doubted;
    } ROWS[] = {{"x", false},   {"x\n", false},     {"x\r\n\n  \n", false},
                {"x\ny", true}, {"x\n\ny\n", true}, {"\n  \n", false}};
    struct why why = {""};
    (void)state;
    setenv("ADMIT_FILE", path, 1);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        put(ROWS[i].content);
        assert_int_equal(vocabulary_doubts(&VOCABULARY, NULL, &why), ROWS[i].doubted);
        assert_true(!ROWS[i].doubted || strstr(why.text, "ADMIT_FILE is /tmp/test_vocabulary"));
    }
    setenv("ADMIT", "x", 1); /* then the file is not asked */
    assert_false(vocabulary_doubts(&VOCABULARY, NULL, &why));
    unsetenv("ADMIT");
    unsetenv("ADMIT_FILE");
}

static void what_is_set_twice_to_different_values_is_said(void **state)
{
    struct why why = {""};
    (void)state;
    put("ADMIT=a\n\nADMIT=b\n");
    assert_true(vocabulary_doubts(&VOCABULARY, path, &why));
    assert_non_null(strstr(why.text, "sets ADMIT in line 1 and, to something else, in line 3"));
    put("ADMIT=a\nTUNNEL_KEY=x\nADMIT='a'\n");
    assert_false(vocabulary_doubts(&VOCABULARY, path, &why));
    put("ADMIT=a\nADMIT=\n");
    assert_true(vocabulary_doubts(&VOCABULARY, path, &why));
    assert_false(vocabulary_doubts(&VOCABULARY, NULL, &why));
    assert_false(vocabulary_doubts(&VOCABULARY, "/nonexistent/x.env", &why));
}

static bool doubts(const char *name, struct why *why)
{
    setenv(name, "x", 1);
    bool doubted = vocabulary_doubts(&VOCABULARY, NULL, why);
    unsetenv(name);
    return doubted;
}

/* It is full of other programs' names: what is near to a setting is said, and is no error. */
static void what_the_environment_nearly_has_is_said(void **state)
{
    static const char *const PLAIN[] = {"ADMIN", "ADMIT", "TUNNEL_KEY_FILE", "TUNNEL_KEYRING",
                                        "EDITOR"};
    struct why why = {""};
    (void)state;
    assert_true(doubts("ADMITT", &why));
    assert_string_equal(why.text,
                        "the environment has ADMITT, which is no setting: did you mean ADMIT?");
    assert_true(doubts("TUNEL_KEY_FILE", &why));
    for (size_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++) {
        assert_false(doubts(PLAIN[i], &why));
    }
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_fine),
        cmocka_unit_test(what_is_not_known_is_named_with_its_line_and_the_nearest),
        cmocka_unit_test(what_may_be_a_secret_is_not_repeated),
        cmocka_unit_test(what_the_environment_has_as_well_is_in_force),
        cmocka_unit_test(what_is_below_the_line_that_counts_is_said),
        cmocka_unit_test(what_is_set_twice_to_different_values_is_said),
        cmocka_unit_test(what_the_environment_nearly_has_is_said),
    };
    return cmocka_run_group_tests_name("vocabulary", tests, make_file, remove_file);
}
