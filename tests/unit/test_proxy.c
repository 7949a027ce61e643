/* The proxy to the Bot API: which one, and what of it is shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/proxy.h"

static int clean_environment(void **state)
{
    static const char *const NAMES[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    (void)state;
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        unsetenv(NAMES[i]);
    }
    return 0;
}

static void name_and_password_are_never_shown(void **state)
{
    static const char *const ROWS[][2] = {
        {"http://proxy.lan:3128", "http://proxy.lan:3128"},
        {"http://me:hush@proxy.lan:3128/", "http://proxy.lan:3128"},
        {"socks5h://me:hush@[2001:db8::1]:1080", "socks5h://[2001:db8::1]:1080"},
        {"me:hush@proxy.lan:3128", "proxy.lan:3128"},
        {"http://me:hu/sh@proxy.lan:3128", "http://proxy.lan:3128"},
        {"http://me:hu@sh@proxy.lan:3128", "http://proxy.lan:3128"},
        {"proxy.lan", "proxy.lan"},
        {"", ""},
    };
    char shown[PROXY_SHOWN_MAX];
    (void)state;
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        proxy_show(ROWS[i][0], shown);
        assert_string_equal(shown, ROWS[i][1]);
    }
}

static void the_setting_comes_before_the_environment(void **state)
{
    static const char API[] = "https://api.telegram.org", LOCAL_API[] = "http://127.0.0.1:8081";
    const char *variable = NULL;
    (void)state;
    assert_null(proxy_find("", API, &variable));
    setenv("http_proxy", "http://plain:1", 1);
    assert_null(proxy_find("", API, &variable));
    assert_string_equal(proxy_find("", LOCAL_API, &variable), "http://plain:1");
    assert_string_equal(variable, "http_proxy");
    setenv("ALL_PROXY", "http://all:1", 1);
    assert_string_equal(proxy_find("", API, &variable), "http://all:1");
    assert_string_equal(variable, "ALL_PROXY");
    setenv("https_proxy", "http://secure:1", 1);
    assert_string_equal(proxy_find("", API, &variable), "http://secure:1");
    assert_string_equal(proxy_find("http://ours:1", API, &variable), "http://ours:1");
    assert_string_equal(variable, "TELEGRAM_PROXY");
}

static void what_the_environment_excepts_is_not_said_to_take_its_proxy(void **state)
{
    static const struct {
        const char *list;
        bool excepted;
    } ROWS[] = {
        {"*", true},
        {"telegram.org", true},
        {".telegram.org", true},
        {"x.lan, API.telegram.org", true},
        {"", false},
        {"gram.org", false},
        {"org.", false},
        {"x.api.telegram.org", false},
        {",", false},
        {"localhost,127.0.0.1", false},
    };
    const char *variable;
    (void)state;
    setenv("https_proxy", "http://secure:1", 1);
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        setenv("no_proxy", ROWS[i].list, 1);
        if (!proxy_find("", "https://api.telegram.org", &variable) != ROWS[i].excepted) {
            fail_msg("no_proxy=%s", ROWS[i].list);
        }
        assert_non_null(proxy_find("http://ours:1", "https://api.telegram.org", &variable));
    }
}

static void who_connects_by_itself_gets_its_parts(void **state)
{
    static const struct {
        const char *setting, *lower, *upper, *none;
        const char *host;
        unsigned port;
        const char *login, *variable;
    } ROWS[] = {
        {"http://p:1", NULL, NULL, NULL, "p", 1, "", "VPS_PROXY"},
        {"http://[2001:db8::1]:3128/", NULL, NULL, NULL, "2001:db8::1", 3128, "", "VPS_PROXY"},
        {"http://me:hu%40s%3Ah%25@p.lan:1", NULL, NULL, NULL, "p.lan", 1, "me:hu@s:h%",
         "VPS_PROXY"},
        {"http://me:@p.lan:1", NULL, NULL, NULL, "p.lan", 1, "me:", "VPS_PROXY"},
        {"http://p:1", "http://q:2", NULL, "*", "p", 1, "", "VPS_PROXY"},
        {"", "http://q:2", "http://r:3", NULL, "q", 2, "", "https_proxy"},
        {"", NULL, "r:3", NULL, "r", 3, "", "HTTPS_PROXY"},
        {"", "", "a:b@r:3", NULL, "r", 3, "a:b", "HTTPS_PROXY"},
        {"", "http://q:2", NULL, "example.org", "", 0, "", NULL},
        {"", "http://q:2", NULL, "x.lan, .example.org", "", 0, "", NULL},
        {"", "http://q:2", NULL, "example.com", "q", 2, "", "https_proxy"},
        {"", NULL, NULL, NULL, "", 0, "", NULL},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct proxy proxy;
        struct why why = {""};
        clean_environment(NULL);
        if (ROWS[i].lower) {
            setenv("https_proxy", ROWS[i].lower, 1);
        }
        if (ROWS[i].upper) {
            setenv("HTTPS_PROXY", ROWS[i].upper, 1);
        }
        if (ROWS[i].none) {
            setenv("no_proxy", ROWS[i].none, 1);
        }
        if (proxy_choose("VPS_PROXY", ROWS[i].setting, "vps.example.org", &proxy, &why) < 0) {
            fail_msg("row %u: %s", i, why.text);
        }
        assert_string_equal(proxy.host, ROWS[i].host);
        assert_int_equal(proxy.port, ROWS[i].port);
        assert_string_equal(proxy.login, ROWS[i].login);
        if (ROWS[i].variable) {
            assert_string_equal(proxy.variable, ROWS[i].variable);
        }
    }
}

static void what_cannot_be_used_is_said_without_its_password(void **state)
{
    static const char *const ROWS[][2] = {
        {"https://me:hush@p:1", "it must begin with http://"},
        {"socks5h://me:hush@p:1", "it must begin with http://"},
        {"me:hush@p:1", "it must begin with http://"},
        {"http://me:hush@p", "it has no port"},
        {"http://me:hush@:1", "it has no host"},
        {"http://hush@p:1", "in front of the @ it takes USER:PASSWORD"},
        {"http://me:hush%@p:1", "none of %XX"},
        {"http://me:hush%4@p:1", "none of %XX"},
        {"http://me:hush%00@p:1", "none of %XX"},
        {"http://m%3ae:hush@p:1", "its user name holds a colon"},
        {"http://a%3Bm%3A:hush@p:1", "its user name holds a colon"},
        {"http://me:hu sh@p:1", "a space"},
        {"http://me:hush@p:65536", "a port from 1 to 65535"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct proxy proxy = {.host = "untouched"};
        struct why why = {""};
        assert_int_equal(proxy_choose("VPS_PROXY", ROWS[i][0], "v", &proxy, &why), -EINVAL);
        if (!strstr(why.text, ROWS[i][1]) || strstr(why.text, "hush")) {
            fail_msg("%s: %s", ROWS[i][0], why.text);
        }
        assert_string_equal(proxy.host, "untouched");
        assert_int_equal(proxy_check_plain(ROWS[i][0], &why), -EINVAL);
    }
    struct proxy proxy;
    struct why why = {""};
    setenv("HTTPS_PROXY", "https://me:hush@p:1", 1);
    assert_int_equal(proxy_choose("VPS_PROXY", "", "v", &proxy, &why), -EINVAL);
    assert_non_null(strstr(why.text, "HTTPS_PROXY in the environment: it must begin with http://"));
}

/* As libcurl has it: an empty no_proxy does not hide NO_PROXY. */
static void addresses_and_networks_are_excepted_as_well(void **state)
{
    static const struct {
        const char *list, *host;
        bool excepted;
    } ROWS[] = {
        {"10.0.0.0/8", "10.200.3.4", true},      {"192.168.0.0/16,10.0.0.0/8", "10.200.3.4", true},
        {"10.0.0.0/8", "11.0.0.1", false},       {"10.200.3.4", "10.200.3.4", true},
        {"2001:db8::/32", "2001:db8::5", true},  {"2001:db8::5", "2001:DB8:0::5", true},
        {"2001:db8::/32", "2001:db9::5", false}, {"10.0.0.0/33", "10.0.0.1", false},
        {"10.0.0.0/", "10.0.0.1", false},        {"10.0.0.0/8", "vps.example.org", false},
        {"0.0.0.0/0", "2001:db8::5", false},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct proxy proxy;
        struct why why = {""};
        setenv("https_proxy", "http://q:2", 1);
        setenv("no_proxy", "", 1);
        setenv("NO_PROXY", ROWS[i].list, 1);
        assert_int_equal(proxy_choose("VPS_PROXY", "", ROWS[i].host, &proxy, &why), 0);
        if ((proxy.host[0] == '\0') != ROWS[i].excepted) {
            fail_msg("NO_PROXY=%s, %s", ROWS[i].list, ROWS[i].host);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(name_and_password_are_never_shown, clean_environment),
        cmocka_unit_test_setup(what_the_environment_excepts_is_not_said_to_take_its_proxy,
                               clean_environment),
        cmocka_unit_test_setup(addresses_and_networks_are_excepted_as_well, clean_environment),
        cmocka_unit_test_setup(the_setting_comes_before_the_environment, clean_environment),
        cmocka_unit_test_setup(who_connects_by_itself_gets_its_parts, clean_environment),
        cmocka_unit_test_setup(what_cannot_be_used_is_said_without_its_password, clean_environment),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
