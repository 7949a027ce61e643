/* --setup and --doctor: who may show himself as the owner, keys, and firewalls. */
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

#include "vps/setup/firewall.h"
#include "vps/setup/keys.h"
#include "vps/setup/learn.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- learn ---------------------------------------------------------------- */

static struct update in_person(const char *text)
{
    return (struct update){.id = 1,
                           .kind = UPDATE_MESSAGE,
                           .from_id = 42,
                           .chat_id = 42,
                           .chat_is_private = true,
                           .text = text};
}

static void the_code_is_right_in_three_forms(void **state)
{
    static const char *const RIGHT[] = {"/start 482913", "/start@pam_bot 482913", "482913"};
    static const char *const WRONG[] = {"/start 482914", "/start 082913", "000000"};
    static const char *const NOTHING[] = {
        "/start",         "/start 48291", "/start 4829130", "hello",
        "hello 482913",   "/stop 482913", "/start 48291x",  "",
        "/start 482913 ", "48 2913"};
    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        struct update update = in_person(RIGHT[i]);
        assert_int_equal(learn_judge(&update, "482913"), LEARN_RIGHT);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct update update = in_person(WRONG[i]);
        assert_int_equal(learn_judge(&update, "482913"), LEARN_WRONG);
    }
    for (size_t i = 0; i < sizeof NOTHING / sizeof *NOTHING; i++) {
        struct update update = in_person(NOTHING[i]);
        assert_int_equal(learn_judge(&update, "482913"), LEARN_NOTHING);
    }
}

static void only_a_person_in_a_private_chat_is_heard(void **state)
{
    struct update all[8];
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        all[i] = in_person("/start 482913");
    }
    all[0].chat_is_private = false;
    all[1].forwarded = true;
    all[2].via_bot = true;
    all[3].sender_chat = true;
    all[4].from_is_bot = true;
    all[5].from_id = 0;
    all[6].kind = UPDATE_CALLBACK;
    all[7].text = NULL;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(learn_judge(&all[i], "482913"), LEARN_NOTHING);
    }
}

/* ---- keys ----------------------------------------------------------------- */

static void assert_written(const struct keys *keys, const char *text)
{
    char have[SETTING_VALUE_MAX];
    keys_write(keys, have);
    assert_string_equal(have, text);
}

static void a_gateway_keeps_the_key_that_it_has(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    (void)state;
    assert_int_equal(keys_read(&keys, "home:" HEX_A ", office:" HEX_B, NULL), 0);
    assert_int_equal(keys_for(&keys, "OFFICE", false, &key, NULL), 0);
    assert_int_equal(key->key[0], 0xbb);
    assert_false(keys.changed);
    assert_written(&keys, "home:" HEX_A ",office:" HEX_B);
}

static void a_key_without_a_name_serves_every_gateway(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    (void)state;
    assert_int_equal(keys_read(&keys, HEX_A, NULL), 0);
    assert_int_equal(keys_for(&keys, "any", false, &key, NULL), 0);
    assert_int_equal(key->key[31], 0xaa);
    assert_false(keys.changed);
    assert_written(&keys, HEX_A);
}

static void a_new_gateway_gets_a_key_of_its_own(void **state)
{
    struct keys keys, again;
    const struct gateway_key *key, *other;
    char text[SETTING_VALUE_MAX];
    (void)state;
    assert_int_equal(keys_read(&keys, "", NULL), 0);
    assert_int_equal(keys_for(&keys, "home", false, &key, NULL), 0);
    assert_int_equal(keys_for(&keys, "office", false, &other, NULL), 0);
    assert_true(keys.changed);
    assert_memory_not_equal(key->key, other->key, CRYPTO_KEY_SIZE);
    keys_write(&keys, text);
    assert_int_equal(keys_read(&again, text, NULL), 0);
    assert_int_equal(again.count, 2);
    assert_memory_equal(again.keys, keys.keys, sizeof keys.keys);
}

static void a_key_is_renewed_on_request_only(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    (void)state;
    assert_int_equal(keys_read(&keys, "home:" HEX_A ",office:" HEX_B, NULL), 0);
    assert_int_equal(keys_for(&keys, "home", true, &key, NULL), 0);
    assert_true(keys.changed);
    assert_int_equal(keys.count, 2);
    assert_int_not_equal(key->key[0] + key->key[1] + key->key[2] + key->key[3], 4 * 0xaa);
    assert_int_equal(keys.keys[1].key[0], 0xbb);
}

static void what_cannot_be_is_refused(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    struct why why;
    char name[16];
    (void)state;
    assert_int_equal(keys_read(&keys, "home:12", &why), -EINVAL);
    assert_null(strstr(why.text, "12\""));
    assert_int_equal(keys_read(&keys, "", NULL), 0);
    assert_int_equal(keys_for(&keys, "two words", false, &key, &why), -EINVAL);
    for (int i = 0; i < GATEWAYS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(keys_for(&keys, name, false, &key, NULL), 0);
    }
    assert_int_equal(keys_for(&keys, "more", false, &key, &why), -ENOSPC);
    assert_int_equal(keys_for(&keys, "g31", false, &key, &why), 0);
}

/* ---- firewall ------------------------------------------------------------- */

static char root[] = "/tmp/test_setup.XXXXXX";

static void put(const char *path, const char *content)
{
    char whole[256], command[600];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    snprintf(command, sizeof command, "mkdir -p \"$(dirname %s)\"", whole);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void assert_firewall(enum firewall_verdict verdict, const char *says)
{
    static const struct firewall_ports PORTS = {9000, 20000, 30000};
    char sentence[400];
    struct text text = text_over(sentence, sizeof sentence);
    assert_int_equal(firewall_look(root, &PORTS, &text), verdict);
    if (!strstr(sentence, says)) {
        fail_msg("\"%s\" does not say \"%s\"", sentence, says);
    }
}

static void each_firewall_is_told_with_its_command(void **state)
{
    (void)state;
    assert_firewall(FIREWALL_OPEN, "none found");
    put("/sys/module/nf_tables/refcnt", "0\n");
    assert_firewall(FIREWALL_OPEN, "none found");
    put("/sys/module/nf_tables/refcnt", "12\n");
    assert_firewall(FIREWALL_UNKNOWN, "nft list ruleset");
    put("/run/firewalld.pid", "1\n");
    assert_firewall(FIREWALL_UNKNOWN, "--add-port=9000/tcp --add-port=20000-30000/tcp");
    put("/etc/ufw/ufw.conf", "# on\nENABLED=yes\n");
    assert_firewall(FIREWALL_UNKNOWN, "ufw allow 9000/tcp; ufw allow 20000:30000/tcp");
    put("/etc/ufw/user.rules",
        "*filter\n### tuple ### allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in\n");
    assert_firewall(FIREWALL_CLOSED, "ufw allow 20000:30000/tcp");
    put("/etc/ufw/user.rules", "*filter\n### tuple ### allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in\n"
                               "### tuple ### allow tcp 20000:30000 0.0.0.0/0 any 0.0.0.0/0 in\n");
    assert_firewall(FIREWALL_OPEN, "ufw lets TCP 9000 and 20000 to 30000 in");
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command); // NOLINT(cert-env33-c)
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_is_right_in_three_forms),
        cmocka_unit_test(only_a_person_in_a_private_chat_is_heard),
        cmocka_unit_test(a_gateway_keeps_the_key_that_it_has),
        cmocka_unit_test(a_key_without_a_name_serves_every_gateway),
        cmocka_unit_test(a_new_gateway_gets_a_key_of_its_own),
        cmocka_unit_test(a_key_is_renewed_on_request_only),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(each_firewall_is_told_with_its_command),
    };
    return cmocka_run_group_tests_name("setup", tests, make_root, remove_root);
}
