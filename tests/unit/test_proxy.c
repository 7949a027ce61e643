/* The proxy to the Bot API: which one, and what of it is shown. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(name_and_password_are_never_shown, clean_environment),
        cmocka_unit_test_setup(what_the_environment_excepts_is_not_said_to_take_its_proxy,
                               clean_environment),
        cmocka_unit_test_setup(the_setting_comes_before_the_environment, clean_environment),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
