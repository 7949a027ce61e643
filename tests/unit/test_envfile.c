/* An env file that is changed: what stays, what counts, and its rights. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/envfile.h"
#include "base/secret_file.h"

static char folder[] = "/tmp/test_envfile.XXXXXX";
static char path[64];

static void put(const char *content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void assert_content(const char *content)
{
    char have[4096] = "";
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    have[fread(have, 1, sizeof have - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(have, content);
}

static unsigned mode_of(const char *name)
{
    struct stat file;
    assert_int_equal(stat(name, &file), 0);
    return file.st_mode & 07777;
}

static void change(const char *name, const char *value)
{
    struct envfile *file;
    assert_int_equal(envfile_read(path, &file, NULL), 0);
    assert_int_equal(envfile_set(file, name, value), 0);
    assert_int_equal(envfile_write(file, NULL), 0);
    envfile_free(file);
}

static int clean(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/a.env", folder);
    unlink(path);
    return 0;
}

static void a_new_file_is_closed_to_others(void **state)
{
    (void)state;
    umask(0);
    change("A", "1");
    assert_content("A=1\n");
    assert_int_equal(mode_of(path), geteuid() == 0 ? 0640 : 0600);
}

static void what_is_not_changed_stays(void **state)
{
    (void)state;
    put("# a comment\n\n export A = '1' \nWHAT IS THIS\nB=2\nA=3");
    change("B", "two");
    assert_content("# a comment\n\n export A = '1' \nWHAT IS THIS\nB=two\nA=3\n");
    change("A", "4"); /* the last one counts */
    change("C", "5");
    assert_content("# a comment\n\n export A = '1' \nWHAT IS THIS\nB=two\nA=4\nC=5\n");
}

static void an_empty_value_is_filled_in_its_place(void **state)
{
    (void)state;
    put("A=\nB=2\n#C=3\n");
    change("A", "1");
    change("C", "4");
    assert_content("A=1\nB=2\n#C=3\nC=4\n");
}

static void values_are_read_without_their_quotes(void **state)
{
    struct envfile *file;
    char value[ENVFILE_LINE_MAX];
    (void)state;
    put("A=\"x y\"  \nB='it''s'\nC= plain \nD=\n#E=1\nA2=2\nBAD=\"open\n");
    assert_int_equal(envfile_read(path, &file, NULL), 0);
    assert_true(envfile_get(file, "A", value));
    assert_string_equal(value, "x y");
    assert_true(envfile_get(file, "C", value));
    assert_string_equal(value, "plain");
    assert_false(envfile_get(file, "D", value));
    assert_false(envfile_get(file, "E", value));
    assert_false(envfile_get(file, "BAD", value));
    envfile_free(file);
}

static void an_existing_file_keeps_its_mode_but_not_for_others(void **state)
{
    (void)state;
    put("A=1\n");
    chmod(path, 0664);
    change("A", "2");
    assert_int_equal(mode_of(path), 0660);
    chmod(path, 0400);
    change("A", "3");
    assert_int_equal(mode_of(path), 0400);
}

static void a_byte_order_mark_hides_no_line(void **state)
{
    (void)state;
    put("\xef\xbb\xbf"
        "A=1\r\nB=2\r\n");
    change("A", "3");
    assert_content("A=3\nB=2\r\n");
    put("\xef\xbb\xbf# what Notepad wrote\r\nB=2\r\n");
    change("B", "3");
    assert_content("# what Notepad wrote\r\nB=3\n");
}

static void utf_16_is_named_and_left_alone(void **state)
{
    static const char UTF16[] = "\xff\xfe"
                                "A\0=\0"
                                "1\0\n";
    struct envfile *file;
    struct why why = {""};
    FILE *stream = fopen(path, "we");
    (void)state;
    assert_non_null(stream);
    fwrite(UTF16, 1, sizeof UTF16, stream);
    fclose(stream);
    assert_int_equal(envfile_read(path, &file, &why), -EILSEQ);
    assert_non_null(strstr(why.text, "UTF-16"));
    assert_non_null(strstr(why.text, path));
}

static void a_link_stays_one(void **state)
{
    char other[64];
    struct stat file;
    (void)state;
    put("A=1\n");
    snprintf(other, sizeof other, "%s/real.env", folder);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    change("A", "2");
    assert_content("A=2\n");
    assert_int_equal(lstat(path, &file), 0);
    assert_true(S_ISLNK(file.st_mode));
    unlink(other);
}

static void no_line_is_broken_into_two(void **state)
{
    struct envfile *file;
    char big[ENVFILE_LINE_MAX + 1];
    (void)state;
    assert_int_equal(envfile_read(path, &file, NULL), 0);
    assert_int_equal(envfile_set(file, "A", "1\nB=2"), -EINVAL);
    memset(big, 'x', ENVFILE_LINE_MAX);
    big[ENVFILE_LINE_MAX] = '\0';
    assert_int_equal(envfile_set(file, "A", big), -EINVAL);
    envfile_free(file);
}

static void the_folder_is_made_and_nothing_is_left_beside(void **state)
{
    char below[64], command[128];
    struct envfile *file;
    struct why why = {""};
    (void)state;
    snprintf(below, sizeof below, "%s/sub/b.env", folder);
    assert_int_equal(secret_file_check(below, &why), 0);
    assert_int_equal(envfile_read(below, &file, NULL), 0);
    assert_int_equal(envfile_set(file, "A", "1"), 0);
    assert_int_equal(envfile_write(file, NULL), 0);
    envfile_free(file);
    snprintf(command, sizeof command, "test \"$(ls %s/sub)\" = b.env", folder);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    snprintf(below, sizeof below, "%s/no/such/b.env", folder);
    assert_int_equal(secret_file_check(below, &why), -ENOENT);
    assert_non_null(strstr(why.text, "cannot write"));
    snprintf(below, sizeof below, "%s/sub", folder);
    assert_true(envfile_read(below, &file, &why) < 0);
    assert_non_null(strstr(why.text, "is it a file?"));
}

/* Whether a secret would be put into NAME in the folder, by all ways that lead to one. */
static bool is_taken(const char *name, const char *words)
{
    char file[96];
    struct envfile *env;
    struct why why = {""};
    snprintf(file, sizeof file, "%s/%s", folder, name);
    int err = secret_file_is_safe(file, &why);
    assert_true(err == 0 || err == -EPERM);
    assert_int_equal(secret_file_check(file, NULL), err);
    assert_int_equal(secret_file_replace(file, "KEY=x\n", NULL), err);
    assert_int_equal(envfile_read(file, &env, NULL), 0); /* that is for the reader to judge */
    assert_int_equal(envfile_set(env, "KEY", "secret"), 0);
    assert_int_equal(envfile_write(env, NULL), err);
    envfile_free(env);
    if (err < 0 && !strstr(why.text, words)) {
        fail_msg("no word of '%s' in: %s", words, why.text);
    }
    return err == 0;
}

static void no_secret_goes_where_others_may_write(void **state)
{
    static const char WORDS[] = "others may write to the folder";
    char open[96], file[96];
    (void)state;
    snprintf(open, sizeof open, "%s/open", folder);
    snprintf(file, sizeof file, "%s/open/a.env", folder);
    assert_int_equal(mkdir(open, 0700), 0);
    assert_true(is_taken("open/a.env", WORDS));
    for (unsigned i = 0; i < 2; i++) { /* with the file, and without */
        assert_int_equal(chmod(open, 0777), 0);
        assert_false(is_taken("open/a.env", WORDS));
        assert_int_equal(chmod(open, 01777), 0);
        assert_false(is_taken("open/a.env", WORDS));
        unlink(file);
    }
    assert_int_equal(access(file, F_OK), -1);
    /* A folder that is made there cannot be taken away again only if it is sticky. */
    assert_true(is_taken("open/new/a.env", WORDS));
    assert_int_equal(chmod(open, 0777), 0);
    assert_false(is_taken("open/new/a.env", WORDS));
    assert_false(is_taken("open/other/a.env", WORDS));
    assert_int_equal(chmod(open, 0770), 0);
    assert_true(is_taken("open/a.env", WORDS)); /* our own group */
}

static void no_secret_goes_to_somebody_else(void **state)
{
    enum { NOBODY = 65534 };
    char theirs[96], link[96];
    struct stat file;
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    snprintf(theirs, sizeof theirs, "%s/theirs", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    put("A=1\n");
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_int_equal(symlink(path, link), 0);
    assert_false(is_taken("a.env", "belongs to somebody else (uid 65534)"));
    assert_false(is_taken("link", "belongs to somebody else"));
    assert_content("A=1\n");
    assert_int_equal(mkdir(theirs, 0700), 0);
    assert_int_equal(chown(theirs, NOBODY, NOBODY), 0);
    assert_false(is_taken("theirs/a.env", "others may write to the folder"));
    assert_int_equal(chown(theirs, 0, NOBODY), 0);
    assert_int_equal(chmod(theirs, 0770), 0);
    assert_false(is_taken("theirs/a.env", "others may write to the folder"));
    assert_int_equal(chmod(theirs, 0750), 0);
    assert_true(is_taken("theirs/a.env", ""));
    snprintf(theirs, sizeof theirs, "%s/theirs/a.env", folder);
    assert_int_equal(stat(theirs, &file), 0);
    assert_int_equal(file.st_uid, 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command); // NOLINT(cert-env33-c)
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_file_is_closed_to_others, clean),
        cmocka_unit_test_setup(what_is_not_changed_stays, clean),
        cmocka_unit_test_setup(an_empty_value_is_filled_in_its_place, clean),
        cmocka_unit_test_setup(values_are_read_without_their_quotes, clean),
        cmocka_unit_test_setup(an_existing_file_keeps_its_mode_but_not_for_others, clean),
        cmocka_unit_test_setup(a_byte_order_mark_hides_no_line, clean),
        cmocka_unit_test_setup(utf_16_is_named_and_left_alone, clean),
        cmocka_unit_test_setup(a_link_stays_one, clean),
        cmocka_unit_test_setup(no_line_is_broken_into_two, clean),
        cmocka_unit_test_setup(the_folder_is_made_and_nothing_is_left_beside, clean),
        cmocka_unit_test_setup(no_secret_goes_where_others_may_write, clean),
        cmocka_unit_test_setup(no_secret_goes_to_somebody_else, clean),
    };
    return cmocka_run_group_tests_name("envfile", tests, make_folder, remove_folder);
}
