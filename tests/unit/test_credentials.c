/* The name and key of a gateway, and what of them stands in STATE_DIR. */
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

#include "gateway/credentials.h"

static const char HEX[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static char folder[] = "/tmp/test_credentials.XXXXXX";
static struct gateway_settings settings; /* as far as this reads them */
static uint8_t key[CRYPTO_KEY_SIZE];

static char *path_of(const char *file)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void put(const char *file, const char *content)
{
    FILE *stream = fopen(path_of(file), "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static bool there_is(const char *file)
{
    return access(path_of(file), F_OK) == 0;
}

static int set_up(void **state)
{
    static bool made;
    (void)state;
    if (!made && !mkdtemp(folder)) {
        return -1;
    }
    made = true;
    chmod(folder, 0700);
    settings = (struct gateway_settings){.gateway_name = "office"};
    strcpy(settings.state_dir, folder);
    return crypto_unhex(HEX, key, sizeof key);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path_of("key"));
    unlink(path_of("key.new"));
    unlink(path_of("key.tmp"));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void assert_loads(enum credentials_source source, const char *name)
{
    struct credentials loaded;
    struct why why = {""};
    if (credentials_load(&settings, &loaded, &why) < 0) {
        fail_msg("not loaded: %s", why.text);
    }
    assert_int_equal(loaded.source, source);
    assert_string_equal(loaded.name, name);
    if (source != CREDENTIALS_NONE) {
        assert_memory_equal(loaded.key, key, sizeof key);
    }
}

/* ---- the tests ------------------------------------------------------------- */

static void a_key_that_is_set_needs_no_folder(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    settings.tunnel_key.given = true;
    memcpy(settings.tunnel_key.bytes, key, sizeof key);
    strcpy(settings.state_dir, "/nonexistent/folder");
    assert_loads(CREDENTIALS_SET, "office");
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    assert_false(credentials_need_folder(&credentials));
    assert_int_equal(credentials_prepare(&credentials, &why), 0);
    /* Nor does it look at what stands there. */
    strcpy(settings.state_dir, folder);
    put("key", "garbage");
    assert_loads(CREDENTIALS_SET, "office");
}

static void a_key_is_kept_proven_and_loaded_at_each_step(void **state)
{
    struct credentials credentials;
    struct stat file;
    struct why why = {""};
    (void)state;
    assert_loads(CREDENTIALS_NONE, "office");
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    assert_true(credentials_need_folder(&credentials));
    assert_int_equal(credentials_prepare(&credentials, &why), 0);
    assert_int_equal(credentials_keep(&credentials, key, &why), 0);
    assert_int_equal(credentials.source, CREDENTIALS_ON_TRIAL);
    assert_memory_equal(credentials.key, key, sizeof key);
    assert_loads(CREDENTIALS_ON_TRIAL, "office");
    assert_true(credentials_need_folder(&credentials));
    assert_int_equal(stat(path_of("key.new"), &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);

    assert_int_equal(credentials_prove(&credentials), 0);
    assert_loads(CREDENTIALS_PAIRED, "office");
    assert_false(credentials_need_folder(&credentials));
    assert_false(there_is("key.new"));
    assert_int_equal(credentials_prove(&credentials), 0);
    credentials_drop(&credentials); /* not this one */
    assert_loads(CREDENTIALS_PAIRED, "office");
    /* It goes on under the name that the VPS knows. */
    strcpy(settings.gateway_name, "attic");
    assert_loads(CREDENTIALS_PAIRED, "office");
}

static void a_key_on_trial_can_be_thrown_away(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    assert_int_equal(credentials_keep(&credentials, key, &why), 0);
    credentials_drop(&credentials);
    assert_int_equal(credentials.source, CREDENTIALS_NONE);
    assert_memory_equal(credentials.key, (uint8_t[CRYPTO_KEY_SIZE]){0}, sizeof key);
    assert_false(there_is("key.new"));
    assert_loads(CREDENTIALS_NONE, "office");
}

/* A crash at any moment leaves a whole file or none; what it left behind is in nobody's way. */
static void a_try_that_was_cut_off_is_in_nobodys_way(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    put("key.tmp", "office 0001");
    assert_loads(CREDENTIALS_NONE, "office");
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    assert_int_equal(credentials_keep(&credentials, key, &why), 0);
    assert_false(there_is("key.tmp"));
    assert_loads(CREDENTIALS_ON_TRIAL, "office");
}

static void a_file_of_somebody_elses_is_said(void **state)
{
    static const char *const CONTENTS[] = {
        "",
        "office",
        "office 00",
        "-x 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "office 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1exx",
        "\n\n"};
    struct credentials credentials;
    (void)state;
    for (size_t i = 0; i < sizeof CONTENTS / sizeof *CONTENTS; i++) {
        struct why why = {""};
        put("key", CONTENTS[i]);
        assert_int_equal(credentials_load(&settings, &credentials, &why), -EINVAL);
        assert_non_null(strstr(why.text, "/key does not hold what pairing has left there"));
    }
}

/* Nobody writes to it, and the agent starts with an answer all the same. */
static void a_pipe_is_no_key(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    assert_int_equal(mkfifo(path_of("key"), 0600), 0);
    assert_int_equal(credentials_load(&settings, &credentials, &why), -EINVAL);
    assert_non_null(strstr(why.text, "/key does not hold what pairing has left there"));
    unlink(path_of("key"));
}

static void a_folder_that_others_may_write_to_is_none(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    chmod(folder, 0777);
    assert_int_equal(credentials_prepare(&credentials, &why), -EPERM);
    assert_non_null(strstr(why.text, "others may write to the folder"));
    strcpy(credentials.folder, "/proc/nothing");
    assert_true(credentials_prepare(&credentials, &why) < 0);
    assert_non_null(strstr(why.text, "no TUNNEL_KEY"));
    assert_non_null(strstr(why.text, "STATE_DIR /proc/nothing"));
    snprintf(credentials.folder, sizeof credentials.folder, "%.40s/no/where", folder);
    assert_int_equal(credentials_prepare(&credentials, &why), -ENOENT);
    assert_non_null(strstr(why.text, "make its parent folder first"));
}

static void a_name_that_looks_like_a_code_cannot_be_paired(void **state)
{
    struct credentials credentials;
    struct why why = {""};
    (void)state;
    strcpy(settings.gateway_name, "482-913");
    assert_int_equal(credentials_load(&settings, &credentials, &why), -EINVAL);
    assert_non_null(strstr(why.text, "GATEWAY_NAME without six digits"));
    settings.tunnel_key.given = true; /* with a key it may be called as it likes */
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    settings.tunnel_key.given = false;
    strcpy(settings.gateway_name, "office");
    assert_int_equal(credentials_load(&settings, &credentials, &why), 0);
    strcpy(settings.gateway_name, "482913");
    struct credentials after;
    assert_int_equal(credentials_renew(&settings, &credentials, &after, &why), -EINVAL);
}

static void other_settings_take_what_there_is(void **state)
{
    struct credentials now = {.source = CREDENTIALS_PAIRED, .name = "office"}, after;
    struct why why = {""};
    (void)state;
    strcpy(settings.gateway_name, "attic");
    assert_int_equal(credentials_renew(&settings, &now, &after, &why), 0);
    assert_string_equal(after.name, "office");
    now.source = CREDENTIALS_NONE;
    assert_int_equal(credentials_renew(&settings, &now, &after, &why), 0);
    assert_string_equal(after.name, "attic");
    settings.tunnel_key.given = true;
    memcpy(settings.tunnel_key.bytes, key, sizeof key);
    assert_int_equal(credentials_renew(&settings, &now, &after, &why), 0);
    assert_int_equal(after.source, CREDENTIALS_SET);
    assert_memory_equal(after.key, key, sizeof key);
    /* The sandbox has no folder open for a key that would come now. */
    settings.tunnel_key.given = false;
    assert_int_equal(credentials_renew(&settings, &after, &now, &why), -EINVAL);
    assert_non_null(strstr(why.text, "restart gateway-agent"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_is_set_needs_no_folder),
        TEST(a_key_is_kept_proven_and_loaded_at_each_step),
        TEST(a_key_on_trial_can_be_thrown_away),
        TEST(a_try_that_was_cut_off_is_in_nobodys_way),
        TEST(a_file_of_somebody_elses_is_said),
        TEST(a_pipe_is_no_key),
        TEST(a_folder_that_others_may_write_to_is_none),
        TEST(a_name_that_looks_like_a_code_cannot_be_paired),
        TEST(other_settings_take_what_there_is),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, remove_folder);
}
