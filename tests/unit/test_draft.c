/* Settings while they are being set up: where they are put down, and what of it is written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/draft.h"

static char folder[] = "/tmp/test_draft.XXXXXX";
static char env[64], secret[64];

static int set_up(void **state)
{
    (void)state;
    unsetenv("D_NAME");
    unsetenv("D_KEY");
    unsetenv("D_KEY_FILE");
    unlink(env);
    unlink(secret);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(env, sizeof env, "%s/env", folder);
    snprintf(secret, sizeof secret, "%s/secret", folder);
    return 0;
}

static int remove_folder(void **state)
{
    set_up(state);
    return rmdir(folder);
}

static void put_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void expect_file(const char *path, const char *content)
{
    char found[200] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(found, 1, sizeof found - 1, file) == strlen(content));
    assert_string_equal(found, content);
    fclose(file);
}

static struct draft *open_draft(void)
{
    struct draft *draft = NULL;
    struct why why = {""};
    if (draft_open(env, &draft, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return draft;
}

static void a_new_file_gets_what_was_put_down(void **state)
{
    struct draft *draft = open_draft();
    struct why why;
    (void)state;
    assert_int_equal(draft_put(draft, "D_NAME", "a", &why), 0);
    assert_int_equal(draft_put(draft, "D_KEY", "b", &why), 0);
    assert_true(draft_changes(draft));
    assert_true(access(env, F_OK) < 0); /* nothing before it is saved */
    assert_int_equal(draft_save(draft, &why), 0);
    draft_free(draft);
    expect_file(env, "D_NAME=a\nD_KEY=b\n");
}

static void what_is_there_stays_and_is_not_written_again(void **state)
{
    struct stat before, after;
    struct why why;
    (void)state;
    put_file(env, "# mine\nD_NAME=a\n");
    assert_int_equal(stat(env, &before), 0);
    struct draft *draft = open_draft();
    assert_int_equal(draft_put(draft, "D_NAME", "a", &why), 0);
    assert_false(draft_changes(draft));
    assert_int_equal(draft_save(draft, &why), 0);
    draft_free(draft);
    assert_int_equal(stat(env, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    expect_file(env, "# mine\nD_NAME=a\n");
}

static void a_value_in_a_file_of_its_own_stays_there(void **state)
{
    char line[200], value[SETTING_VALUE_MAX];
    struct why why;
    (void)state;
    snprintf(line, sizeof line, "D_KEY_FILE=%s\n", secret);
    put_file(env, line);
    put_file(secret, "old\n");
    struct draft *draft = open_draft();
    assert_int_equal(draft_get(draft, "D_KEY", value, &why), 0);
    assert_string_equal(value, "old");
    assert_int_equal(draft_put(draft, "D_KEY", "old", &why), 0);
    assert_false(draft_changes(draft));
    assert_int_equal(draft_put(draft, "D_KEY", "new", &why), 0);
    assert_true(draft_changes(draft));
    assert_int_equal(draft_save(draft, &why), 0);
    draft_free(draft);
    expect_file(env, line);
    expect_file(secret, "new\n");
}

static void what_is_put_back_goes_where_it_comes_from(void **state)
{
    struct why why;
    (void)state;
    setenv("D_KEY_FILE", secret, 1);
    put_file(secret, "old\n");
    struct draft *draft = open_draft();
    assert_true(draft_is_given("D_KEY"));
    assert_int_equal(draft_put_back(draft, "D_KEY", "new", &why), 0);
    assert_int_equal(draft_save(draft, &why), 0);
    expect_file(secret, "new\n");
    assert_true(access(env, F_OK) < 0);
    setenv("D_KEY", "x", 1);
    assert_int_equal(draft_put_back(draft, "D_KEY", "new", &why), -EPERM);
    assert_non_null(strstr(why.text, "D_KEY is set in the environment"));
    draft_free(draft);
}

static void a_broken_file_is_an_error(void **state)
{
    struct draft *draft = NULL;
    struct why why;
    (void)state;
    put_file(env, "D_NAME\n");
    assert_int_equal(draft_open(env, &draft, &why), -EINVAL);
    assert_null(draft);
    draft_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_file_gets_what_was_put_down, set_up),
        cmocka_unit_test_setup(what_is_there_stays_and_is_not_written_again, set_up),
        cmocka_unit_test_setup(a_value_in_a_file_of_its_own_stays_there, set_up),
        cmocka_unit_test_setup(what_is_put_back_goes_where_it_comes_from, set_up),
        cmocka_unit_test_setup(a_broken_file_is_an_error, set_up),
    };
    return cmocka_run_group_tests_name("draft", tests, make_folder, remove_folder);
}
