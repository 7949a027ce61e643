/* The configuration of gateway-agent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fields.h"
#include "gateway/settings.h"
#include "shared/gateway_name.h"

static const char KEY[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";
static const char *const NAMES[] = {
    "VPS_HOST",     "TUNNEL_KEY",     "TUNNEL_KEY_FILE",    "CONTROL_PORT",
    "GATEWAY_NAME", "KEEPALIVE_SECS", "RELAY_WORKERS",      "ALLOWED_TARGETS",
    "LOG_LEVEL",    "RUST_LOG",       "CONGESTION_CONTROL", "STATE_DIR",
};

/* A clean environment that is just enough. */
static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        unsetenv(NAMES[i]);
    }
    setenv("VPS_HOST", "vps.example.com", 1);
    setenv("TUNNEL_KEY", KEY, 1);
    return 0;
}

static void one_setting_and_a_key_are_enough(void **state)
{
    struct gateway_settings settings;
    struct why why;
    (void)state;
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    assert_string_equal(settings.vps_host, "vps.example.com");
    assert_int_equal(settings.tunnel_key.bytes[0], 0);
    assert_int_equal(settings.tunnel_key.bytes[31], 31);
    assert_int_equal(settings.control_port, 9000);
    assert_true(gateway_name_is_valid(settings.gateway_name));
    assert_int_equal(settings.keepalive_secs, 30);
    assert_in_range(settings.common.relay_workers, 1, 4);
    assert_int_equal(settings.common.log_level, LOG_INFO);
    struct addr addr;
    addr_parse("192.168.1.22", 22, &addr);
    assert_true(targets_allow_addr(settings.allowed_targets, &addr));
    gateway_settings_done(&settings);
    assert_int_equal(settings.tunnel_key.bytes[31], 0);
}

static void without_a_key_one_setting_is_enough(void **state)
{
    struct gateway_settings settings;
    struct why why;
    (void)state;
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            unsetenv("TUNNEL_KEY");
        } else {
            setenv("TUNNEL_KEY", "", 1);
        }
        assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
        assert_false(settings.tunnel_key.given);
        assert_string_equal(settings.state_dir, "/var/lib/pamtunnel-gateway");
        gateway_settings_done(&settings);
    }
    setenv("TUNNEL_KEY", KEY, 1);
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    assert_true(settings.tunnel_key.given);
    gateway_settings_done(&settings);
}

static void wrong_ones_are_named(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *said;
    } cases[] = {
        {"VPS_HOST", "", "VPS_HOST is not set"},
        {"VPS_HOST", "not a host", "VPS_HOST is \"not a host\""},
        {"STATE_DIR", "var/lib", "STATE_DIR is \"var/lib\""},
        {"TUNNEL_KEY", "abc", "it has 3 characters"},
        {"CONTROL_PORT", "0", "CONTROL_PORT is \"0\""},
        {"GATEWAY_NAME", "-x", "GATEWAY_NAME is \"-x\""},
        {"KEEPALIVE_SECS", "0", "KEEPALIVE_SECS is \"0\""},
        {"KEEPALIVE_SECS", "3601", "KEEPALIVE_SECS is \"3601\""},
        {"RELAY_WORKERS", "0", "RELAY_WORKERS is \"0\""},
        {"ALLOWED_TARGETS", "10.0.0.0/8:22;oops", "\"oops\" has no ports"},
        {"CONGESTION_CONTROL", "b.b.r", "CONGESTION_CONTROL is \"b.b.r\""},
        {"LOG_LEVEL", "loud", "LOG_LEVEL is \"loud\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gateway_settings settings;
        struct why why = {""};
        set_up(state);
        setenv(cases[i].name, cases[i].value, 1);
        assert_int_equal(gateway_settings_load(NULL, &settings, &why), -EINVAL);
        if (!strstr(why.text, cases[i].said)) {
            fail_msg("no word of '%s' in: %s", cases[i].said, why.text);
        }
    }
}

static void a_wrong_key_is_not_repeated(void **state)
{
    char key[sizeof KEY];
    struct gateway_settings settings;
    struct why why;
    (void)state;
    strcpy(key, KEY);
    key[63] = 'g';
    setenv("TUNNEL_KEY", key, 1);
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "TUNNEL_KEY"));
    assert_null(strstr(why.text, "0001"));
}

static void the_log_level_has_an_older_name(void **state)
{
    struct gateway_settings settings;
    struct why why;
    (void)state;
    setenv("RUST_LOG", "debug", 1);
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    assert_int_equal(settings.common.log_level, LOG_DEBUG);
    gateway_settings_done(&settings);
    setenv("LOG_LEVEL", "error", 1);
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    assert_int_equal(settings.common.log_level, LOG_ERROR);
    gateway_settings_done(&settings);
}

static void any_host_name_makes_a_gateway_name(void **state)
{
    static const char *const cases[][2] = {
        {"home", "home"},
        {"home.example.com", "home"},
        {"my_box-2", "my_box-2"},
        {"bad name!", "bad-name-"},
        {"--x", "x"},
        {"", "gateway"},
        {".", "gateway"},
        {"\xc3\xa4\xc3\xb6", "gateway"},
    };
    char name[GATEWAY_NAME_MAX + 1];
    char host[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gateway_name_from_host(cases[i][0], name);
        assert_string_equal(name, cases[i][1]);
    }
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    gateway_name_from_host(host, name);
    assert_int_equal(strlen(name), GATEWAY_NAME_MAX);
    assert_true(gateway_name_is_valid(name));
}

static void what_has_changed_is_found_and_put_in_place(void **state)
{
    struct gateway_settings settings, after;
    struct changes changes;
    struct why why = {""};
    struct addr addr;
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    setenv("GATEWAY_NAME", "home", 1);
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    struct targets *list = settings.allowed_targets;
    setenv("GATEWAY_NAME", "attic", 1);
    setenv("ALLOWED_TARGETS", TARGETS_DEFAULT ";198.51.100.7:80", 1);
    setenv("RELAY_WORKERS", "60", 1);
    setenv("TUNNEL_KEY", "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1);
    assert_int_equal(gateway_settings_renew(NULL, &settings, &after, &changes, &why), 0);
    changes_say(&changes, &text);
    assert_non_null(strstr(buffer, "TUNNEL_KEY: changed; GATEWAY_NAME: home → attic; "
                                   "ALLOWED_TARGETS: 198.51.100.7:80 added; RELAY_WORKERS ("));
    gateway_settings_replace(&settings, &after);
    assert_ptr_equal(settings.allowed_targets, list); /* whoever asks it goes by the new one */
    addr_parse("198.51.100.7", 80, &addr);
    assert_true(targets_allow_addr(list, &addr));
    assert_string_equal(settings.gateway_name, "attic");
    assert_int_not_equal(settings.common.relay_workers, 60);
    assert_int_equal(settings.tunnel_key.bytes[0], 0xff);
    gateway_settings_done(&settings);
}

static void what_is_wrong_changes_nothing(void **state)
{
    struct gateway_settings settings, after;
    struct changes changes;
    struct why why = {""};
    (void)state;
    assert_int_equal(gateway_settings_load(NULL, &settings, &why), 0);
    setenv("ALLOWED_TARGETS", "x", 1);
    assert_true(gateway_settings_renew(NULL, &settings, &after, &changes, &why) < 0);
    assert_non_null(strstr(why.text, "ALLOWED_TARGETS"));
    gateway_settings_done(&settings);
}

static void every_setting_has_a_field_of_its_own(void **state)
{
    (void)state;
    fields_fit(GATEWAY_VOCABULARY.tables);
}

static void every_setting_can_be_compared_and_shown(void **state)
{
    const struct setting *row;
    size_t count = 0;
    (void)state;
    for (; (row = settings_row(GATEWAY_VOCABULARY.tables, count, NULL)); count++) {
        const struct setting_type *type = row->type;
        bool is_text = type && type->size == 0;
        if (!type || !type->parse || !(is_text || type->show || type->differ || row->secret)) {
            fail_msg("%s has no type that can do it", row->name);
        }
    }
    assert_true(count > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_a_field_of_its_own),
        cmocka_unit_test(every_setting_can_be_compared_and_shown),
        cmocka_unit_test_setup(one_setting_and_a_key_are_enough, set_up),
        cmocka_unit_test_setup(without_a_key_one_setting_is_enough, set_up),
        cmocka_unit_test_setup(wrong_ones_are_named, set_up),
        cmocka_unit_test_setup(a_wrong_key_is_not_repeated, set_up),
        cmocka_unit_test_setup(the_log_level_has_an_older_name, set_up),
        cmocka_unit_test_setup(any_host_name_makes_a_gateway_name, set_up),
        cmocka_unit_test_setup(what_has_changed_is_found_and_put_in_place, set_up),
        cmocka_unit_test_setup(what_is_wrong_changes_nothing, set_up),
    };
    return cmocka_run_group_tests_name("gateway_settings", tests, NULL, NULL);
}
