/* The configuration of vps-agent. */
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

#include "fields.h"
#include "vps/settings/settings.h"

#define KEY   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F"
#define KEY_2 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define X50   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char *const NAMES[] = {
    "TELEGRAM_TOKEN",   "TELEGRAM_TOKEN_FILE",
    "ALLOWED_USERS",    "TELEGRAM_API_URL",
    "VPS_HOST",         "TUNNEL_KEY",
    "TUNNEL_KEY_FILE",  "CONTROL_PORT",
    "PORT_RANGE_START", "PORT_RANGE_END",
    "BIND_ADDRESS",     "SESSION_TIMEOUT",
    "RECONNECT_GRACE",  "MAX_CONNECTIONS",
    "IDLE_TIMEOUT",     "LOG_LEVEL",
    "MAX_SESSION_TIME", "MAX_SESSIONS_PER_USER",
    "MAX_SESSIONS",     "ADMIT",
    "KNOWN_DAYS",       "STATE_DIR",
    "RELAY_WORKERS",    "RUST_LOG",
    "MULTIPATH",        "TELEGRAM_PROXY",
    "RDP_CLIPBOARD",    "CONGESTION_CONTROL",
    "POLICY_FILE",      "AUDIT_FULL",
    "AUDIT_DAYS",       "APPROVAL_TIMEOUT",
    "FACTOR_MINUTES",   "DATA_PORT",
    "RDP_SIGN_CERT",    "RDP_SIGN_KEY",
};

/* A clean environment that is just enough. */
static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        unsetenv(NAMES[i]);
    }
    setenv("TELEGRAM_TOKEN", "123456:ABC-DEF_ghi", 1);
    setenv("ALLOWED_USERS", "42", 1);
    setenv("VPS_HOST", "vps.example.com", 1);
    setenv("TUNNEL_KEY", KEY, 1);
    return 0;
}

static void load(struct vps_settings *settings)
{
    struct why why = {""};
    if (vps_settings_load(NULL, false, settings, &why) < 0) {
        fail_msg("%s", why.text);
    }
}

static void four_settings_are_enough(void **state)
{
    struct vps_settings settings;
    (void)state;
    load(&settings);
    assert_false(settings.local);
    assert_string_equal(settings.telegram_token, "123456:ABC-DEF_ghi");
    assert_string_equal(settings.telegram_api_url, "https://api.telegram.org");
    assert_int_equal(settings.allowed_users.count, 1);
    assert_int_equal(settings.allowed_users.ids[0], 42);
    assert_string_equal(settings.vps_host, "vps.example.com");
    assert_int_equal(settings.tunnel_key.count, 1);
    assert_string_equal(settings.tunnel_key.keys[0].name, "");
    assert_int_equal(settings.tunnel_key.keys[0].key[31], 0x1f);
    assert_int_equal(settings.control_port, 9000);
    assert_int_equal(settings.port_range_start, 20000);
    assert_int_equal(settings.port_range_end, 30000);
    assert_string_equal(settings.bind_address, "::");
    assert_int_equal(settings.session_timeout, 120);
    assert_int_equal(settings.admit, ADMIT_KNOWN);
    assert_string_equal(settings.state_dir, "/var/lib/pamtunnel");
    assert_int_equal(settings.common.log_level, LOG_INFO);
    assert_in_range(settings.common.relay_workers, 1, 4);
}

static void without_telegram_its_settings_are_not_looked_at(void **state)
{
    struct vps_settings settings;
    struct why why;
    (void)state;
    setenv("TELEGRAM_TOKEN", "nonsense", 1);
    unsetenv("ALLOWED_USERS");
    assert_int_equal(vps_settings_load(NULL, true, &settings, &why), 0);
    assert_true(settings.local);
    assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
}

static const struct {
    const char *name, *value;
    const char *says; /* NULL: it is good; otherwise a part of the message */
} CASES[] = {
    {"TELEGRAM_TOKEN", "1:a", NULL},
    {"TELEGRAM_TOKEN", "", "TELEGRAM_TOKEN is not set"},
    {"TELEGRAM_TOKEN", "nonsense", "TELEGRAM_TOKEN is wrong"},
    {"TELEGRAM_TOKEN", "123456:", "TELEGRAM_TOKEN is wrong"},
    {"TELEGRAM_TOKEN", "123456:ab/../c", "TELEGRAM_TOKEN is wrong"},
    {"TELEGRAM_TOKEN", ":abc", "TELEGRAM_TOKEN is wrong"},
    {"TELEGRAM_TOKEN", "123456:a b", "TELEGRAM_TOKEN is wrong"},
    {"TELEGRAM_TOKEN", "1:" X50 X50 X50, "longer than 128 characters"},
    {"ALLOWED_USERS", "1,2 , 3", NULL},
    {"ALLOWED_USERS", "9007199254740991", NULL},
    {"ALLOWED_USERS", "", "ALLOWED_USERS is not set"},
    {"ALLOWED_USERS", "0", "ALLOWED_USERS is \"0\""},
    {"ALLOWED_USERS", "-42", "ALLOWED_USERS is \"-42\""},
    {"ALLOWED_USERS", "@anna", "ALLOWED_USERS is \"@anna\""},
    {"ALLOWED_USERS", "1,,2", "ALLOWED_USERS is \"1,,2\""},
    {"ALLOWED_USERS", "1;2", "ALLOWED_USERS is \"1;2\""},
    {"ALLOWED_USERS", "1 2", "ALLOWED_USERS is \"1 2\""},
    {"ALLOWED_USERS", "99999999999999999999", "ALLOWED_USERS is \"9999"},
    {"TELEGRAM_API_URL", "http://127.0.0.1:8081/", NULL},
    {"TELEGRAM_API_URL", "ftp://x", "TELEGRAM_API_URL is \"ftp://x\""},
    {"TELEGRAM_API_URL", "api.telegram.org", "TELEGRAM_API_URL is"},
    {"TELEGRAM_API_URL", "https://", "TELEGRAM_API_URL is \"https://\""},
    {"TELEGRAM_API_URL", "http:///", "TELEGRAM_API_URL is \"http:///\""},
    {"TELEGRAM_API_URL", "https://a b", "it holds a space"},
    {"TELEGRAM_API_URL", "https://a\tb", "it holds a space or a control character"},
    {"VPS_HOST", "203.0.113.7", NULL},
    {"VPS_HOST", "2001:db8::1", NULL},
    {"VPS_HOST", "", "VPS_HOST is not set"},
    {"VPS_HOST", "-oProxyCommand=x", "VPS_HOST is"},
    {"VPS_HOST", "vps.example.com:22", "VPS_HOST is"},
    {"VPS_HOST", "vps\r\nusername:s:x", "VPS_HOST is"},
    {"TUNNEL_KEY", "home:" KEY, NULL},
    {"TUNNEL_KEY", "home:" KEY ",office:" KEY_2, NULL},
    {"TUNNEL_KEY", "home:" KEY ", office:" KEY_2, NULL},
    {"TUNNEL_KEY", "", NULL}, /* its gateways are added while it runs */
    {"TUNNEL_KEY", "abcd", "a key of 4 characters"},
    {"TUNNEL_KEY", KEY "0", "a key of 65 characters"},
    {"TUNNEL_KEY", "home-" KEY, "a key of 69 characters"},
    {"TUNNEL_KEY", "-home:" KEY, "the name in front of a key"},
    {"TUNNEL_KEY", ":" KEY, "the name in front of a key"},
    {"TUNNEL_KEY", KEY "," KEY_2, "two keys without a name"},
    {"TUNNEL_KEY", "home:" KEY "," KEY_2, NULL},
    {"TUNNEL_KEY", KEY ",home:" KEY_2 "@1764200000", NULL},
    {"TUNNEL_KEY", "home:" KEY ",office:" KEY, "the gateways home and office have the same key"},
    {"TUNNEL_KEY", KEY ",office:" KEY, "the gateways without a name and office have the same key"},
    {"TUNNEL_KEY", "office:" KEY "," KEY, "vps-agent --invite office --new-key"},
    {"TUNNEL_KEY", "home:" KEY "@", "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", "home:" KEY "@tomorrow", "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", "home:" KEY "@1764200000 ", "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", "home:" KEY "@9999999999999", "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", "home:" KEY "@-5", "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", KEY "@1764200000", "only the key of one gateway"},
    {"TUNNEL_KEY", "home@5:" KEY, "what follows the @ is not a Unix time"},
    {"TUNNEL_KEY", "home:" KEY ",Home:" KEY_2, "two keys for the gateway Home"},
    {"TUNNEL_KEY", "home:" KEY ",", "a key of 0 characters"},
    {"TUNNEL_KEY", X50 X50 X50, "a key of 150 characters"},
    {"TUNNEL_KEY", "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "not a hex digit"},
    {"TUNNEL_KEY", "0x" KEY, "a key has no 0x in front of it"},
    {"TUNNEL_KEY", "home:0x" KEY, "a key has no 0x in front of it"},
    {"TUNNEL_KEY", "'" KEY "'", "the quotes around it"},
    {"TUNNEL_KEY", KEY " # mine", "the comment after it"},
    {"TELEGRAM_TOKEN", "\"123456:ABC\"", "the quotes around it are taken as part of it"},
    {"TELEGRAM_TOKEN", "123456:ABC # my bot", "the comment after it is taken as part of it"},
    {"TELEGRAM_TOKEN", "TELEGRAM_TOKEN=123456:ABC", "it begins with its own name"},
    {"TELEGRAM_TOKEN", "123456:ABC ", "a space before or after it"},
    {"ALLOWED_USERS", "anna", "it takes numbers, not names"},
    {"ALLOWED_USERS", "1,@anna", "not names"},
    {"ALLOWED_USERS", "1;2", "put a comma between two users"},
    {"ALLOWED_USERS", "1 2", "put a comma between two users"},
    {"ALLOWED_USERS", "-100123", "a group's number"},
    {"ALLOWED_USERS", "1,,2", "a comma only goes between two users"},
    {"VPS_HOST", "http://vps.example.com", "without http://"},
    {"VPS_HOST", "https://vps.example.com/", "without https://"},
    {"VPS_HOST", "vps.example.com:22", "without a port"},
    {"VPS_HOST", "[2001:db8::1]:22", "without brackets"},
    {"VPS_HOST", "root@vps.example.com", "without a user"},
    {"VPS_HOST", "vps.example.com/x", "without a path"},
    {"TELEGRAM_PROXY", "http://proxy.lan:3128", NULL},
    {"TELEGRAM_PROXY", "http://me:p%40ss@10.0.0.1:3128/", NULL},
    {"TELEGRAM_PROXY", "https://proxy.lan:443", NULL},
    {"TELEGRAM_PROXY", "socks5h://[2001:db8::1]:1080", NULL},
    {"TELEGRAM_PROXY", "", NULL},
    {"TELEGRAM_PROXY", "proxy.lan:3128", "it must begin with http://"},
    {"TELEGRAM_PROXY", "socks5://proxy.lan:1080", "takes is socks5h://"},
    {"TELEGRAM_PROXY", "http://proxy.lan", "it has no port"},
    {"TELEGRAM_PROXY", "http://proxy.lan:0", "a port from 1 to 65535"},
    {"TELEGRAM_PROXY", "http://proxy.lan:3128/path", "a port from 1 to 65535"},
    {"TELEGRAM_PROXY", "http://me:pa/ss@proxy.lan:3128", "in the password as %2F"},
    {"TELEGRAM_PROXY", "http://:3128", "it has no host"},
    {"TELEGRAM_PROXY", "http://2001:db8::1:3128", "neither a name nor an address"},
    {"TELEGRAM_PROXY", "http://[10.0.0.1]:3128", "neither a name nor an address"},
    {"TELEGRAM_PROXY", "http://pro xy:3128", "it holds a space"},
    {"CONTROL_PORT", "65535", NULL},
    {"CONTROL_PORT", "1", NULL},
    {"CONTROL_PORT", "0", "CONTROL_PORT is \"0\""},
    {"CONTROL_PORT", "65536", "CONTROL_PORT is \"65536\""},
    {"CONTROL_PORT", "+9000", "CONTROL_PORT is \"+9000\""},
    {"CONTROL_PORT", "9000x", "CONTROL_PORT is \"9000x\""},
    {"CONTROL_PORT", "20000", "CONTROL_PORT is \"20000\""},
    {"CONTROL_PORT", "25000", "outside the range for sessions, 20000 to 30000"},
    {"CONTROL_PORT", "30000", "CONTROL_PORT is \"30000\""},
    {"CONTROL_PORT", "30001", NULL},
    {"PORT_RANGE_START", "29999", NULL},
    {"PORT_RANGE_START", "ssh", "PORT_RANGE_START is \"ssh\""},
    {"PORT_RANGE_START", "30000", "PORT_RANGE_END is \"30000\""},
    {"PORT_RANGE_END", "20001", NULL},
    {"PORT_RANGE_END", "20000", "PORT_RANGE_END is \"20000\""},
    {"PORT_RANGE_END", "19999", "above PORT_RANGE_START, which is 20000"},
    {"PORT_RANGE_END", "", NULL}, /* as if it were not there */
    {"BIND_ADDRESS", "0.0.0.0", NULL},
    {"BIND_ADDRESS", "localhost", "BIND_ADDRESS is \"localhost\""},
    {"BIND_ADDRESS", "1.2.3", "BIND_ADDRESS is \"1.2.3\""},
    {"SESSION_TIMEOUT", "1", NULL},
    {"SESSION_TIMEOUT", "86400", NULL},
    {"SESSION_TIMEOUT", "0", "SESSION_TIMEOUT is \"0\""},
    {"SESSION_TIMEOUT", "86401", "SESSION_TIMEOUT is \"86401\"; it takes seconds, 1 to 86400"},
    {"SESSION_TIMEOUT", "-1", "SESSION_TIMEOUT is \"-1\""},
    {"SESSION_TIMEOUT", "2m", "SESSION_TIMEOUT is \"2m\""},
    {"RECONNECT_GRACE", "0", NULL},
    {"RECONNECT_GRACE", "3601", "RECONNECT_GRACE is \"3601\""},
    {"IDLE_TIMEOUT", "0", NULL},
    {"IDLE_TIMEOUT", "604801", "IDLE_TIMEOUT is \"604801\""},
    {"MAX_SESSION_TIME", "0", NULL},
    {"MAX_SESSION_TIME", "ever", "MAX_SESSION_TIME is \"ever\""},
    {"MAX_SESSIONS_PER_USER", "1", NULL},
    {"MAX_SESSIONS_PER_USER", "0", "MAX_SESSIONS_PER_USER is \"0\""},
    {"MAX_CONNECTIONS", "1", NULL},
    {"MAX_CONNECTIONS", "0", "MAX_CONNECTIONS is \"0\""},
    {"MAX_CONNECTIONS", "65", "MAX_CONNECTIONS is \"65\""},
    {"MAX_SESSIONS", "10000", NULL},
    {"MAX_SESSIONS", "10001", "MAX_SESSIONS is \"10001\""},
    {"DATA_PORT", "control", NULL},
    {"DATA_PORT", "random", NULL},
    {"DATA_PORT", "9000", "DATA_PORT is \"9000\"; it takes random or control"},
    {"KNOWN_DAYS", "1", NULL},
    {"KNOWN_DAYS", "3650", NULL},
    {"KNOWN_DAYS", "0", "KNOWN_DAYS is \"0\"; it takes days, 1 to 3650"},
    {"KNOWN_DAYS", "3651", "KNOWN_DAYS is \"3651\""},
    {"APPROVAL_TIMEOUT", "86400", NULL},
    {"APPROVAL_TIMEOUT", "0", "APPROVAL_TIMEOUT is \"0\"; it takes seconds, 1 to 86400"},
    {"FACTOR_MINUTES", "0", NULL},
    {"FACTOR_MINUTES", "1441",
     "FACTOR_MINUTES is \"1441\"; it takes minutes, 1 to 1440, or 0 for none"},
    {"RDP_CLIPBOARD", "on", NULL},
    {"RDP_CLIPBOARD", "off", NULL},
    {"RDP_CLIPBOARD", "yes", "RDP_CLIPBOARD is \"yes\"; it takes on or off"},
    {"RDP_SIGN_CERT", "off", NULL},
    {"RDP_SIGN_CERT", "cert.pem", "RDP_SIGN_CERT is \"cert.pem\": not an absolute path; it takes"},
    {"RDP_SIGN_CERT", "/cert.pem", "RDP_SIGN_CERT is set, and RDP_SIGN_KEY is not"},
    {"RDP_SIGN_KEY", "/key.pem", "RDP_SIGN_KEY is set, and RDP_SIGN_CERT is not"},
    {"RDP_SIGN_KEY", "key.pem", "RDP_SIGN_KEY is \"key.pem\": not an absolute path; it takes"},
    {"MULTIPATH", "off", NULL},
    {"MULTIPATH", "on", NULL},
    {"MULTIPATH", "yes", "MULTIPATH is \"yes\"; it takes on or off"},
    {"ADMIT", "auto", NULL},
    {"ADMIT", "ask", NULL},
    {"ADMIT", "never", "ADMIT is \"never\"; it takes auto, known or ask"},
    {"ADMIT", "Auto", "ADMIT is \"Auto\""},
    {"AUDIT_FULL", "refuse", NULL},
    {"AUDIT_FULL", "continue", NULL},
    {"AUDIT_FULL", "stop", "AUDIT_FULL is \"stop\"; it takes refuse or continue"},
    {"AUDIT_DAYS", "0", NULL},
    {"AUDIT_DAYS", "36501", "it takes days, 1 to 36500, or 0 for ever"},
    {"STATE_DIR", "/tmp/x", NULL},
    {"STATE_DIR", "state", "not an absolute path"},
    {"STATE_DIR", "/" X50 X50, "longer than 90 characters"},
    {"RELAY_WORKERS", "64", NULL},
    {"RELAY_WORKERS", "0", "RELAY_WORKERS is \"0\""},
    {"RELAY_WORKERS", "65", "RELAY_WORKERS is \"65\""},
    {"CONGESTION_CONTROL", "system", NULL},
    {"CONGESTION_CONTROL", "bbr3", NULL},
    {"CONGESTION_CONTROL", "BBR", "it takes auto, system, or one that the kernel has"},
    {"CONGESTION_CONTROL", "bbr cubic", "CONGESTION_CONTROL is \"bbr cubic\""},
    {"CONGESTION_CONTROL", "sixteen-letters-", "longer than 15 characters"},
    {"LOG_LEVEL", "trace", NULL},
    {"LOG_LEVEL", "loud", "LOG_LEVEL is \"loud\""},
};
enum { CASES_COUNT = sizeof CASES / sizeof *CASES };

static void good_values_are_taken_and_bad_ones_explained(void **state)
{
    for (size_t i = 0; i < CASES_COUNT; i++) {
        struct vps_settings settings;
        struct why why = {""};
        set_up(state);
        setenv(CASES[i].name, CASES[i].value, 1);
        int err = vps_settings_load(NULL, false, &settings, &why);
        if (!CASES[i].says && err < 0) {
            fail_msg("%s=%s was refused: %s", CASES[i].name, CASES[i].value, why.text);
        }
        if (CASES[i].says && err != -EINVAL) {
            fail_msg("%s=%s was taken", CASES[i].name, CASES[i].value);
        }
        if (CASES[i].says && !strstr(why.text, CASES[i].says)) {
            fail_msg("no word of '%s' in: %s", CASES[i].says, why.text);
        }
    }
}

/* Either by itself or, where two do not go together, one of the two. */
static void every_complaint_names_its_variable_in_one_line(void **state)
{
    for (size_t i = 0; i < CASES_COUNT; i++) {
        struct vps_settings settings;
        struct why why = {""};
        set_up(state);
        setenv(CASES[i].name, CASES[i].value, 1);
        if (vps_settings_load(NULL, false, &settings, &why) < 0) {
            assert_non_null(strstr(why.text, CASES[i].name));
            assert_true(strstr(CASES[i].value, "\n") || !strchr(why.text, '\n'));
            assert_non_null(strstr(why.text, "takes"));
        }
    }
}

static void a_secret_is_never_repeated(void **state)
{
    static const char *const SECRETS[][2] = {
        {"TELEGRAM_TOKEN", "hush-hush"},
        {"TELEGRAM_TOKEN", "123456:hush hush"},
        {"TUNNEL_KEY", "hush-hush"},
        {"TUNNEL_KEY", "home:" KEY ",office:hush"},
        {"TELEGRAM_PROXY", "ftp://hush:hush@proxy.lan:3128"},
        {"TELEGRAM_PROXY", "http://hush:hush@proxy.lan"},
    };
    for (size_t i = 0; i < sizeof SECRETS / sizeof *SECRETS; i++) {
        struct vps_settings settings;
        struct why why = {""};
        set_up(state);
        setenv(SECRETS[i][0], SECRETS[i][1], 1);
        assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
        assert_null(strstr(why.text, "hush"));
        assert_null(strstr(why.text, "0001"));
    }
}

static void lists_come_in_their_order(void **state)
{
    struct vps_settings settings;
    (void)state;
    setenv("ALLOWED_USERS", "7, 42,9007199254740991", 1);
    setenv("TUNNEL_KEY", "home:" KEY ",Office.2:" KEY_2 "@1764200000", 1);
    setenv("TELEGRAM_API_URL", "http://127.0.0.1:8081//", 1);
    load(&settings);
    assert_int_equal(settings.allowed_users.count, 3);
    assert_int_equal(settings.allowed_users.ids[0], 7);
    assert_int_equal(settings.allowed_users.ids[2], 9007199254740991);
    assert_int_equal(settings.tunnel_key.count, 2);
    assert_string_equal(settings.tunnel_key.keys[0].name, "home");
    assert_string_equal(settings.tunnel_key.keys[1].name, "Office.2");
    assert_int_equal(settings.tunnel_key.keys[0].key[0], 0);
    assert_int_equal(settings.tunnel_key.keys[1].key[0], 0xff);
    assert_true(settings.tunnel_key.keys[0].until == 0);
    assert_true(settings.tunnel_key.keys[1].until == 1764200000);
    assert_string_equal(settings.telegram_api_url, "http://127.0.0.1:8081");
}

static void lists_have_an_end(void **state)
{
    char users[8 * (USERS_MAX + 2)] = "1", keys[(USERS_MAX + 2) * (sizeof KEY + 8)] = "";
    struct vps_settings settings;
    struct why why;
    (void)state;
    for (unsigned i = 1; i < USERS_MAX; i++) {
        sprintf(users + strlen(users), ",%u", i + 1);
    }
    for (unsigned i = 0; i < GATEWAYS_MAX; i++) {
        sprintf(keys + strlen(keys), "%sg%u:%.62s%02x", i ? "," : "", i, KEY_2, i);
    }
    setenv("ALLOWED_USERS", users, 1);
    setenv("TUNNEL_KEY", keys, 1);
    load(&settings);
    assert_int_equal(settings.allowed_users.count, USERS_MAX);
    assert_int_equal(settings.tunnel_key.count, GATEWAYS_MAX);

    strcat(keys, ",more:" KEY);
    setenv("TUNNEL_KEY", keys, 1);
    assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "more than 32 keys"));
    strcat(users, ",99");
    setenv("ALLOWED_USERS", users, 1);
    assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "more than 64 users"));
}

static void a_failure_leaves_the_result_untouched(void **state)
{
    struct vps_settings settings, before;
    struct why why;
    (void)state;
    memset(&settings, 0x5a, sizeof settings);
    before = settings;
    setenv("ADMIT", "never", 1);
    assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
    assert_memory_equal(&settings, &before, sizeof settings);
}

static void secrets_may_come_from_files(void **state)
{
    char path[] = "/tmp/pamtunnel-test-XXXXXX";
    struct vps_settings settings;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, KEY_2 "\n", sizeof KEY_2), sizeof KEY_2);
    close(fd);
    unsetenv("TUNNEL_KEY");
    setenv("TUNNEL_KEY_FILE", path, 1);
    load(&settings);
    unlink(path);
    assert_int_equal(settings.tunnel_key.keys[0].key[0], 0xff);
}

static void wiping_takes_the_secrets_away(void **state)
{
    struct vps_settings settings;
    static const uint8_t NOTHING[CRYPTO_KEY_SIZE];
    (void)state;
    load(&settings);
    vps_settings_wipe(&settings);
    assert_string_equal(settings.telegram_token, "");
    assert_memory_equal(settings.tunnel_key.keys[0].key, NOTHING, sizeof NOTHING);
}

static void renew(const char *user_list, const char *keys, const char *port, const char *expected)
{
    struct vps_settings now, after;
    struct changes changes;
    struct why why = {""};
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    load(&now);
    setenv("ALLOWED_USERS", user_list, 1);
    setenv("TUNNEL_KEY", keys, 1);
    setenv("CONTROL_PORT", port, 1);
    if (vps_settings_renew(NULL, &now, &after, &changes, &why) < 0) {
        fail_msg("%s", why.text);
    }
    changes_say(&changes, &text);
    assert_string_equal(buffer, expected);
    assert_int_equal(after.control_port, now.control_port);
    assert_int_equal(after.allowed_users.count, strchr(user_list, ',') ? 2 : 1);
}

static void what_has_changed_is_found_by_what_it_means(void **state)
{
    (void)state;
    renew("42", KEY, "9000", "nothing has changed");
    renew("777, 42", KEY, "9000", "ALLOWED_USERS: 777 added");
    renew("42,777", "home:" KEY, "9000", "TUNNEL_KEY: home added, the key without a name removed");
    renew(
        "42", "office:" KEY ",home:" KEY_2, "9001",
        "ALLOWED_USERS: 777 removed; TUNNEL_KEY: office added, home has another key; CONTROL_PORT "
        "(9000 → 9001) needs a restart; the others are in force");
    renew("42", "office:" KEY "@4000000000,home:" KEY_2, "9001",
          "TUNNEL_KEY: office has until 2096-10-02 07:06 UTC to join");
    renew("42", "office:" KEY ",home:" KEY_2, "9001",
          "TUNNEL_KEY: office no longer has to join by a certain time");
}

/* Each is fine by itself; but the one takes a restart, and the other would not. */
static void what_does_not_go_together_until_a_restart_is_refused(void **state)
{
    struct vps_settings now, after;
    struct changes changes;
    struct why why = {""};
    (void)state;
    load(&now);
    setenv("CONTROL_PORT", "40000", 1);
    setenv("PORT_RANGE_START", "8000", 1);
    assert_int_equal(vps_settings_renew(NULL, &now, &after, &changes, &why), -EINVAL);
    assert_non_null(strstr(why.text, "CONTROL_PORT is \"9000\""));
    assert_non_null(strstr(why.text, "until a restart"));
}

/* Whoever waits for input in the loop would wait for ever. */
static void what_cannot_be_read_twice_is_refused(void **state)
{
    struct vps_settings now, after;
    struct changes changes;
    struct why why = {""};
    (void)state;
    load(&now);
    unsetenv("TUNNEL_KEY");
    setenv("TUNNEL_KEY_FILE", "/dev/zero", 1);
    assert_int_equal(vps_settings_renew(NULL, &now, &after, &changes, &why), -ESPIPE);
    assert_non_null(strstr(why.text, "/dev/zero"));
}

static void every_setting_has_a_field_of_its_own(void **state)
{
    (void)state;
    fields_fit(VPS_VOCABULARY.tables);
}

static void every_setting_can_be_compared_and_shown(void **state)
{
    const struct setting *row;
    size_t count = 0;
    (void)state;
    for (; (row = settings_row(VPS_VOCABULARY.tables, count, NULL)); count++) {
        const struct setting_type *type = row->type;
        bool is_text = type && type->size == 0;
        if (!type || !type->parse || !(is_text || type->show || type->differ || row->secret)) {
            fail_msg("%s has no type that can do it", row->name);
        }
    }
    assert_true(count > 5);
}

/* ---- a policy ------------------------------------------------------------------- */

static void write_policy(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void renew_policy(struct vps_settings *now, const char *expected)
{
    struct vps_settings after;
    struct changes changes;
    struct why why = {""};
    char buffer[900];
    struct text text = text_over(buffer, sizeof buffer);
    if (vps_settings_renew(NULL, now, &after, &changes, &why) < 0) {
        fail_msg("%s", why.text);
    }
    changes_say(&changes, &text);
    assert_non_null(strstr(buffer, expected));
    vps_settings_wipe(now);
    *now = after;
}

static void a_policy_takes_the_place_of_the_list_of_users(void **state)
{
    char folder[] = "/tmp/pamtunnel-policy.XXXXXX", path[64];
    struct vps_settings settings;
    struct why why = {""};
    (void)state;
    snprintf(path, sizeof path, "%s/policy.yaml", mkdtemp(folder));
    write_policy(path, "users: {alice: {telegram: [7, 8]}, root: {uid: 0}}\n");
    unsetenv("ALLOWED_USERS");
    setenv("POLICY_FILE", path, 1);
    load(&settings);
    assert_int_equal(settings.allowed_users.count, 2);
    assert_true(user_list_has(&settings.allowed_users, 8));
    assert_int_equal(settings.policy_file.policy->warning_count, 0);
    vps_settings_wipe(&settings);
    setenv("ALLOWED_USERS", "7,777", 1);
    load(&settings);
    assert_false(user_list_has(&settings.allowed_users, 777));
    assert_string_equal(settings.policy_file.policy->warnings[0],
                        "ALLOWED_USERS has 777, whom POLICY_FILE does not: with a policy only its "
                        "users are let in");
    unsetenv("ALLOWED_USERS");
    renew_policy(&settings, "nothing has changed");
    write_policy(path, "users: {bob: {telegram: 9}}\n");
    renew_policy(&settings,
                 "POLICY_FILE: bob added, alice removed, root removed, the file changed");
    assert_int_equal(settings.allowed_users.count, 1);
    unsetenv("POLICY_FILE");
    setenv("ALLOWED_USERS", "42", 1);
    renew_policy(&settings, "→ unset");
    assert_true(user_list_has(&settings.allowed_users, 42));
    vps_settings_wipe(&settings);
    setenv("POLICY_FILE", "policy.yaml", 1);
    assert_int_equal(vps_settings_load(NULL, false, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "not an absolute path"));
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_a_field_of_its_own),
        cmocka_unit_test(every_setting_can_be_compared_and_shown),
        cmocka_unit_test_setup(four_settings_are_enough, set_up),
        cmocka_unit_test_setup(without_telegram_its_settings_are_not_looked_at, set_up),
        cmocka_unit_test_setup(good_values_are_taken_and_bad_ones_explained, set_up),
        cmocka_unit_test_setup(every_complaint_names_its_variable_in_one_line, set_up),
        cmocka_unit_test_setup(a_secret_is_never_repeated, set_up),
        cmocka_unit_test_setup(lists_come_in_their_order, set_up),
        cmocka_unit_test_setup(lists_have_an_end, set_up),
        cmocka_unit_test_setup(a_failure_leaves_the_result_untouched, set_up),
        cmocka_unit_test_setup(secrets_may_come_from_files, set_up),
        cmocka_unit_test_setup(wiping_takes_the_secrets_away, set_up),
        cmocka_unit_test_setup(what_has_changed_is_found_by_what_it_means, set_up),
        cmocka_unit_test_setup(what_does_not_go_together_until_a_restart_is_refused, set_up),
        cmocka_unit_test_setup(a_policy_takes_the_place_of_the_list_of_users, set_up),
        cmocka_unit_test_setup(what_cannot_be_read_twice_is_refused, set_up),
    };
    return cmocka_run_group_tests_name("vps_settings", tests, NULL, NULL);
}
