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

#include "shared/invite_paper.h"
#include "vps/setup/enrolment.h"
#include "vps/setup/firewall.h"
#include "vps/setup/keys.h"
#include "vps/setup/pairing.h"
#include "vps/setup/users.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

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
        "/start 48291", "/start 4829130", "hello", "hello 482913",
        "/stop 482913", "/start 48291x",  "",      "/start 482913 ",
        "48 2913"};
    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        struct update update = in_person(RIGHT[i]);
        assert_int_equal(pairing_judge(&update, "482913"), PAIRING_RIGHT);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct update update = in_person(WRONG[i]);
        assert_int_equal(pairing_judge(&update, "482913"), PAIRING_WRONG);
    }
    for (size_t i = 0; i < sizeof NOTHING / sizeof *NOTHING; i++) {
        struct update update = in_person(NOTHING[i]);
        assert_int_equal(pairing_judge(&update, "482913"), PAIRING_NOTHING);
    }
    struct update bare = in_person("/start");
    assert_int_equal(pairing_judge(&bare, "482913"), PAIRING_BARE);
    bare.chat_is_private = false;
    assert_int_equal(pairing_judge(&bare, "482913"), PAIRING_NOTHING);
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
        assert_int_equal(pairing_judge(&all[i], "482913"), PAIRING_NOTHING);
    }
}

/* ---- keys ----------------------------------------------------------------- */

static void assert_written(const struct keys *keys, const char *text)
{
    char have[SETTING_VALUE_MAX];
    keys_write(keys, have);
    assert_string_equal(have, text);
}

static const struct keys_wish ANY = {.until = 2000, .now = 1000},
                              NEW = {.renew = true, .until = 2000, .now = 1000};

static void a_gateway_keeps_the_key_that_it_has(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    (void)state;
    assert_int_equal(keys_read(&keys, "home:" HEX_A ", office:" HEX_B "@1500", NULL), 0);
    assert_int_equal(keys_for(&keys, "HOME", &ANY, &key, NULL), 0);
    assert_int_equal(keys_for(&keys, "OFFICE", &ANY, &key, NULL), 0);
    assert_int_equal(key->key[0], 0xbb);
    assert_true(key->until == 1500);
    assert_false(keys.changed);
    assert_written(&keys, "home:" HEX_A ",office:" HEX_B "@1500");
}

static void a_gateway_gets_its_own_key_beside_the_one_without_a_name(void **state)
{
    struct keys keys;
    const struct gateway_key *key;
    char text[SETTING_VALUE_MAX];
    (void)state;
    assert_int_equal(keys_read(&keys, HEX_A, NULL), 0);
    assert_true(keys_have_shared(&keys));
    assert_int_equal(keys_for(&keys, "office", &ANY, &key, NULL), 0);
    assert_true(keys.changed);
    assert_string_equal(key->name, "office");
    assert_memory_not_equal(key->key, keys.keys[0].key, CRYPTO_KEY_SIZE);
    keys_write(&keys, text);
    assert_int_equal(strncmp(text, HEX_A ",office:", strlen(HEX_A ",office:")), 0);
    assert_string_equal(text + strlen(text) - 5, "@2000");
    assert_int_equal(keys_read(&keys, text, NULL), 0);
}

static void a_new_gateway_gets_a_key_of_its_own(void **state)
{
    struct keys keys, again;
    const struct gateway_key *key, *other;
    char text[SETTING_VALUE_MAX];
    (void)state;
    assert_int_equal(keys_read(&keys, "", NULL), 0);
    assert_int_equal(keys_for(&keys, "home", &ANY, &key, NULL), 0);
    assert_int_equal(keys_for(&keys, "office", &ANY, &other, NULL), 0);
    assert_true(keys.changed);
    assert_false(keys_have_shared(&keys));
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
    assert_int_equal(keys_read(&keys, HEX_C ",home:" HEX_A ",office:" HEX_B, NULL), 0);
    assert_int_equal(keys_for(&keys, "home", &NEW, &key, NULL), 0);
    assert_true(keys.changed);
    assert_true(key->until == 2000);
    assert_int_equal(keys.count, 3);
    assert_int_not_equal(key->key[0] + key->key[1] + key->key[2] + key->key[3], 4 * 0xaa);
    assert_int_equal(keys.keys[0].key[0], 0xcc);
    assert_int_equal(keys.keys[2].key[0], 0xbb);
    assert_true(keys.keys[2].until == 0);
}

static void the_time_of_a_key_that_waits_can_be_changed(void **state)
{
    static const struct keys_wish LONGER = {.until_said = true, .until = 9000, .now = 1000},
                                  FOREVER = {.until_said = true, .now = 1000};
    struct keys keys;
    const struct gateway_key *key;
    struct why why;
    (void)state;
    assert_int_equal(
        keys_read(&keys, "home:" HEX_A "@1500,office:" HEX_B ",old:" HEX_C "@1000", NULL), 0);
    assert_int_equal(keys_for(&keys, "home", &LONGER, &key, NULL), 0);
    assert_written(&keys, "home:" HEX_A "@9000,office:" HEX_B ",old:" HEX_C "@1000");
    assert_int_equal(keys_for(&keys, "home", &FOREVER, &key, NULL), 0);
    assert_written(&keys, "home:" HEX_A ",office:" HEX_B ",old:" HEX_C "@1000");
    keys.changed = false;
    assert_int_equal(keys_for(&keys, "office", &LONGER, &key, &why), -EINVAL);
    assert_non_null(strstr(why.text, "--new-key"));
    assert_int_equal(keys_for(&keys, "old", &ANY, &key, &why), -EKEYEXPIRED);
    assert_non_null(strstr(why.text, "--invite old --new-key"));
    assert_int_equal(keys_for(&keys, "old", &LONGER, &key, &why), -EKEYEXPIRED);
    assert_false(keys.changed);
    assert_int_equal(keys_for(&keys, "old", &NEW, &key, &why), 0);
    assert_true(key->until == 2000);
}

/* As the error says that such a TUNNEL_KEY is. */
static void a_key_of_two_gateways_is_mended_by_a_new_one(void **state)
{
    static const char *const TEXTS[] = {"home:" HEX_A ",office:" HEX_A, HEX_A ",office:" HEX_A};
    struct keys keys;
    const struct gateway_key *key;
    struct why why;
    char text[SETTING_VALUE_MAX];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(keys_read(&keys, TEXTS[i], NULL), 0);
        assert_int_equal(keys_for(&keys, "office", &ANY, &key, &why), -EINVAL);
        assert_non_null(strstr(why.text, "--invite office --new-key"));
        assert_int_equal(keys_for(&keys, "office", &NEW, &key, &why), 0);
        keys_write(&keys, text);
        struct vps_settings settings = {0};
        assert_int_equal(vps_settings_take("TUNNEL_KEY", text, &settings, NULL), 0);
    }
}

static void a_time_is_told_in_minutes_hours_or_days(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } RIGHT[] = {{"0", 0}, {"30m", 1800}, {"24h", 86400}, {"7d", 604800}, {"9999d", 863913600}};
    static const char *const WRONG[] = {"",     "h",       "24",     "-1h", "1.5h",
                                        "24 h", "24hours", "99999h", "0h",  "never"};
    struct why why;
    int64_t seconds;
    (void)state;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        assert_int_equal(invite_read_span(RIGHT[i].text, &seconds, &why), 0);
        assert_true(seconds == RIGHT[i].seconds);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        assert_int_equal(invite_read_span(WRONG[i], &seconds, &why), -EINVAL);
        assert_non_null(strstr(why.text, "--valid"));
    }
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
    assert_int_equal(keys_for(&keys, "two words", &ANY, &key, &why), -EINVAL);
    assert_int_equal(keys_for(&keys, "", &ANY, &key, &why), -EINVAL);
    assert_int_equal(keys.count, 0);
    for (int i = 0; i < GATEWAYS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(keys_for(&keys, name, &ANY, &key, NULL), 0);
    }
    assert_int_equal(keys_for(&keys, "more", &ANY, &key, &why), -ENOSPC);
    assert_int_equal(keys_for(&keys, "g31", &ANY, &key, &why), 0);
}

/* ---- users ---------------------------------------------------------------- */

static void users_are_added_to_those_that_are_there(void **state)
{
    static const struct {
        const char *now, *more, *list;
    } ROWS[] = {
        {"42", "43", "42,43"}, {"42, 43", "42", "42, 43"}, {"42,43", "43,44, 45", "42,43,44,45"}};
    static const char *const WRONG[] = {"bob", "", "-5"};
    char list[SETTING_VALUE_MAX];
    struct why why;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(users_add(ROWS[i].now, ROWS[i].more, list, &why), 0);
        assert_string_equal(list, ROWS[i].list);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(users_add("42", WRONG[i], list, &why) < 0);
    }
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

static struct firewall_ports ports = {.control = 9000, .first = 20000, .last = 30000};

static void assert_firewall(enum firewall_verdict verdict, const char *says)
{
    char sentence[400];
    struct text text = text_over(sentence, sizeof sentence);
    assert_int_equal(firewall_look(root, &ports, &text), verdict);
    if (!strstr(sentence, says)) {
        fail_msg("\"%s\" does not say \"%s\"", sentence, says);
    }
}

static void each_firewall_is_told_with_its_command(void **state)
{
    (void)state;
    assert_firewall(FIREWALL_UNKNOWN, "none found");
    put("/sys/module/nf_tables/refcnt", "0\n");
    assert_firewall(FIREWALL_UNKNOWN, "none found");
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
    assert_firewall(FIREWALL_OPEN, "ufw lets in TCP 9000 and 20000 to 30000");
}

/* The port for strict networks is of no use behind a firewall that nobody told. */
static void the_entrance_is_let_in_too(void **state)
{
    (void)state;
    ports.entrance = 443;
    assert_firewall(FIREWALL_CLOSED, "9000/tcp; ufw allow 443/tcp; ufw allow 20000:30000/tcp");
    put("/etc/ufw/user.rules", "*filter\n### tuple ### allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in\n"
                               "### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in\n"
                               "### tuple ### allow tcp 20000:30000 0.0.0.0/0 any 0.0.0.0/0 in\n");
    assert_firewall(FIREWALL_OPEN, "ufw lets in TCP 9000, 443 and 20000 to 30000");
    put("/etc/ufw/ufw.conf", "ENABLED=no\n");
    assert_firewall(FIREWALL_UNKNOWN, "9000/tcp --add-port=443/tcp --add-port=20000-30000/tcp");
    ports.entrance = 0;
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
        cmocka_unit_test(a_gateway_gets_its_own_key_beside_the_one_without_a_name),
        cmocka_unit_test(a_new_gateway_gets_a_key_of_its_own),
        cmocka_unit_test(a_key_is_renewed_on_request_only),
        cmocka_unit_test(the_time_of_a_key_that_waits_can_be_changed),
        cmocka_unit_test(a_key_of_two_gateways_is_mended_by_a_new_one),
        cmocka_unit_test(a_time_is_told_in_minutes_hours_or_days),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(users_are_added_to_those_that_are_there),
        cmocka_unit_test(each_firewall_is_told_with_its_command),
        cmocka_unit_test(the_entrance_is_let_in_too),
    };
    return cmocka_run_group_tests_name("setup", tests, make_root, remove_root);
}
