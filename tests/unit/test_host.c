/* Names of machines, as people and attackers type them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/host.h"
#include "shared/gateway_name.h"

#define A10 "aaaaaaaaaa"
#define L63 A10 A10 A10 A10 A10 A10 "aaa"

struct kind_row {
    const char *text;
    enum host_kind kind;
};

static void check_kinds(const struct kind_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (host_kind(rows[i].text) != rows[i].kind) {
            fail_msg("\"%s\" is taken for kind %d", rows[i].text, (int)host_kind(rows[i].text));
        }
    }
}

static void names_follow_rfc_1123_and_windows(void **state)
{
    static const struct kind_row ROWS[] = {
        {"HOME-PC", HOST_NAME},
        {"a", HOST_NAME},
        {"3com.com", HOST_NAME}, /* RFC 1123 allows a digit first */
        {"1a", HOST_NAME},
        {"1.2.3.x", HOST_NAME},
        {"a-b.c-d.example", HOST_NAME},
        {"xn--mnchen-3ya.de", HOST_NAME},
        {"MY_PC", HOST_NAME},
        {"a--b", HOST_NAME},
        {"deadbeef", HOST_NAME},
        {"0xbox", HOST_NAME}, /* no resolver takes this for a number */
        {"0x", HOST_NAME},
        {"", HOST_INVALID},
        {".", HOST_INVALID},
        {"a.", HOST_INVALID},
        {".a", HOST_INVALID},
        {"a..b", HOST_INVALID},
        {"-a", HOST_INVALID},
        {"a-", HOST_INVALID},
        {"a-.b", HOST_INVALID},
        {"a.-b", HOST_INVALID},
        {"_a", HOST_INVALID},
        {"a_", HOST_INVALID},
        {"-oProxyCommand=x", HOST_INVALID},
        {"--help", HOST_INVALID},
    };
    (void)state;
    check_kinds(ROWS, sizeof ROWS / sizeof *ROWS);
}

static void labels_have_63_and_names_253_characters_at_most(void **state)
{
    char name[300] = L63 "." L63 "." L63 ".";
    (void)state;
    assert_int_equal(host_kind(L63), HOST_NAME);
    assert_int_equal(host_kind(L63 "a"), HOST_INVALID);
    assert_int_equal(host_kind("b." L63 "a"), HOST_INVALID);
    memset(name + 192, 'b', 61);
    name[253] = '\0';
    assert_int_equal(host_kind(name), HOST_NAME);
    memcpy(name + 253, "b", 2);
    assert_int_equal(host_kind(name), HOST_INVALID);
    memset(name, 'a', sizeof name - 1);
    assert_int_equal(host_kind(name), HOST_INVALID);
}

static void addresses_are_told_from_what_resolvers_take_for_one(void **state)
{
    static const struct kind_row ROWS[] = {
        {"192.168.1.22", HOST_IPV4},  {"0.0.0.0", HOST_IPV4},        {"255.255.255.255", HOST_IPV4},
        {"127.1", HOST_INVALID},      {"1.2.3", HOST_INVALID},       {"1.2.3.4.5", HOST_INVALID},
        {"2130706433", HOST_INVALID}, {"0x7f.1", HOST_INVALID},      {"0x7f000001", HOST_INVALID},
        {"0X7F000001", HOST_INVALID}, {"127.0.0.0x1", HOST_INVALID}, {"0xcafe", HOST_INVALID},
        {"0177.0.0.1", HOST_INVALID}, {"127.0.0.01", HOST_INVALID},  {"256.1.1.1", HOST_INVALID},
        {"1.1.1.1.", HOST_INVALID},   {"+1.1.1.1", HOST_INVALID},    {" 1.1.1.1", HOST_INVALID},
        {"1.1.1.1 ", HOST_INVALID},   {"host.7", HOST_INVALID},
    };
    (void)state;
    check_kinds(ROWS, sizeof ROWS / sizeof *ROWS);
}

static void ipv6_addresses_have_no_brackets_and_no_scope(void **state)
{
    static const struct kind_row ROWS[] = {
        {"::", HOST_IPV6},
        {"::1", HOST_IPV6},
        {"fd00::22", HOST_IPV6},
        {"FD00::A", HOST_IPV6},
        {"1:2:3:4:5:6:7:8", HOST_IPV6},
        {"::ffff:192.168.1.22", HOST_IPV6},
        {"64:ff9b::1.2.3.4", HOST_IPV6},
        {"[::1]", HOST_INVALID},
        {"fe80::1%eth0", HOST_INVALID},
        {"::1%1", HOST_INVALID},
        {"1::2::3", HOST_INVALID},
        {"1:2:3:4:5:6:7:8:9", HOST_INVALID},
        {"12345::", HOST_INVALID},
        {"::g", HOST_INVALID},
        {":", HOST_INVALID},
        {"::1/64", HOST_INVALID},
    };
    (void)state;
    check_kinds(ROWS, sizeof ROWS / sizeof *ROWS);
}

static void whatever_a_shell_a_page_or_a_log_would_read_is_no_host(void **state)
{
    static const char *const ROWS[] = {
        "a b",
        "a\tb",
        "a\nb",
        "a\r",
        "HOME-PC\n",
        "\nHOME-PC",
        "a;reboot",
        "a|b",
        "a&b",
        "$(reboot)",
        "`reboot`",
        "a>b",
        "<b>x</b>",
        "a&amp;b",
        "a'b",
        "a\"b",
        "a\\b",
        "a/b",
        "a%00b",
        "a%",
        "a$b",
        "~",
        "*",
        "a?b",
        "{a,b}",
        "a!b",
        "a#b",
        "a=b",
        "a,b",
        "a@b",
        "m\xc3\xbcnchen",
        "\xd0\xb0.example",
        "a\xe2\x80\x8b",
        "a\xff",
        "\x01",
        "a\x7f",
        "a:b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (host_kind(ROWS[i]) != HOST_INVALID) {
            fail_msg("\"%s\" is taken for a host", ROWS[i]);
        }
    }
}

static void what_is_no_host_is_explained(void **state)
{
    static const struct {
        const char *text, *clause;
    } ROWS[] = {
        {"", "like HOME-PC"},
        {"fe80::1%eth0", "leave out the %"},
        {"1:2:3:4:5:6:7:8:9", "IPv6 address is written like"},
        {"192.168.077.22", "without leading zeros"},
        {"0177.0.0.1", "without leading zeros"},
        {"256.1.1.1", "four numbers from 0 to 255"},
        {"1.2.3", "four numbers from 0 to 255"},
        {"0", "four numbers from 0 to 255"},
        {"1.1.1.1.", "four numbers from 0 to 255"},
        {"_ldap.corp", "must begin and end with a letter or a digit"},
        {"a.-b", "must begin and end with a letter or a digit"},
        {"a..b", "two in a row"},
        {".a", "two in a row"},
        {L63 "a", "63 characters"},
        {L63 "." L63 "." L63 "." L63, "253 characters"},
        {"m\xc3\xbcnchen", "only have the letters a to z"},
        {"a b", "only have the letters a to z"},
        {"host.7", "last part of a name cannot be a number"},
        {"0xcafe", "last part of a name cannot be a number"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(host_kind(ROWS[i].text), HOST_INVALID);
        if (!strstr(host_explain(ROWS[i].text), ROWS[i].clause)) {
            fail_msg("\"%s\": %s", ROWS[i].text, host_explain(ROWS[i].text));
        }
    }
}

static void a_target_is_written_as_it_is_read(void **state)
{
    char text[TARGET_TEXT_MAX], name[HOST_MAX + 1];
    (void)state;
    target_format("HOME-PC", 3389, text);
    assert_string_equal(text, "HOME-PC:3389");
    target_format("fd00::22", 22, text);
    assert_string_equal(text, "[fd00::22]:22");
    memset(name, 'a', HOST_MAX);
    name[HOST_MAX] = '\0';
    target_format(name, 65535, text);
    assert_int_equal(strlen(text), HOST_MAX + 6);
}

static void a_gateway_has_a_plain_name(void **state)
{
    static const char *const GOOD[] = {"a", "0", "Home.lan", "a-b_c.d", "1-", L63};
    static const char *const BAD[] = {"",    "-a",  ".a",  "_a",  "a b",      "a/b",
                                      "a\n", "a@b", "a:b", "\"a", "\xc3\xbc", L63 "a"};
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_true(gateway_name_is_valid(GOOD[i]));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(gateway_name_is_valid(BAD[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_rfc_1123_and_windows),
        cmocka_unit_test(labels_have_63_and_names_253_characters_at_most),
        cmocka_unit_test(addresses_are_told_from_what_resolvers_take_for_one),
        cmocka_unit_test(ipv6_addresses_have_no_brackets_and_no_scope),
        cmocka_unit_test(whatever_a_shell_a_page_or_a_log_would_read_is_no_host),
        cmocka_unit_test(what_is_no_host_is_explained),
        cmocka_unit_test(a_target_is_written_as_it_is_read),
        cmocka_unit_test(a_gateway_has_a_plain_name),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
