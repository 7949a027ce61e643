/* The gateway's list of allowed targets: what it reads, what it refuses, what it lets through. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/targets.h"

static struct targets *list_of(const char *text)
{
    struct targets *targets = NULL;
    struct why why = {""};
    if (targets_parse(text, &targets, &why) < 0) {
        fail_msg("\"%s\" was refused: %s", text, why.text);
    }
    return targets;
}

static bool allows(const char *text, const char *address, uint16_t port)
{
    struct targets *targets = list_of(text);
    struct addr addr;
    assert_int_equal(addr_parse(address, port, &addr), 0);
    bool allowed = targets_allow_addr(targets, &addr);
    targets_free(targets);
    return allowed;
}

static bool allows_name(const char *text, const char *host, uint16_t port)
{
    struct targets *targets = list_of(text);
    bool allowed = targets_allow_name(targets, host, port);
    targets_free(targets);
    return allowed;
}

static void the_default_is_ssh_and_rdp_in_private_networks(void **state)
{
    static const struct {
        const char *address;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"10.0.0.0", 22, true},
        {"10.255.255.255", 3389, true},
        {"172.16.0.1", 22, true},
        {"172.31.255.255", 22, true},
        {"192.168.0.1", 3389, true},
        {"fd12:3456::1", 22, true},
        {"fc00::1", 3389, true},
        {"9.255.255.255", 22, false},
        {"11.0.0.0", 22, false},
        {"172.15.255.255", 22, false},
        {"172.32.0.0", 22, false},
        {"192.167.255.255", 22, false},
        {"192.169.0.0", 22, false},
        {"fbff::1", 22, false},
        {"fe00::1", 22, false},
        {"10.0.0.1", 21, false},
        {"10.0.0.1", 23, false},
        {"10.0.0.1", 3388, false},
        {"10.0.0.1", 3390, false},
        {"127.0.0.1", 22, false},
        {"127.1.2.3", 3389, false},
        {"::1", 22, false},
        {"::", 22, false},
        {"0.0.0.0", 22, false},
        {"169.254.169.254", 22, false},
        {"fe80::1", 22, false},
        {"203.0.113.7", 22, false},
        {"2001:db8::1", 22, false},
        {"100.64.0.1", 22, false},
        {"::ffff:127.0.0.1", 22, false},
        {"::ffff:10.0.0.1", 22, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (allows(TARGETS_DEFAULT, cases[i].address, cases[i].port) != cases[i].allowed) {
            fail_msg("%s port %u", cases[i].address, cases[i].port);
        }
    }
}

static void an_address_alone_is_one_machine(void **state)
{
    (void)state;
    assert_true(allows("192.168.1.22:22", "192.168.1.22", 22));
    assert_false(allows("192.168.1.22:22", "192.168.1.23", 22));
    assert_true(allows("[fd00::22]:22", "fd00::22", 22));
    assert_false(allows("[fd00::22]:22", "fd00::23", 22));
}

static void a_network_ends_at_its_last_bit(void **state)
{
    (void)state;
    assert_true(allows("192.168.1.128/25:22", "192.168.1.128", 22));
    assert_true(allows("192.168.1.128/25:22", "192.168.1.255", 22));
    assert_false(allows("192.168.1.128/25:22", "192.168.1.127", 22));
    assert_true(allows("192.168.1.6/31:22", "192.168.1.7", 22));
    assert_false(allows("192.168.1.6/31:22", "192.168.1.8", 22));
    assert_true(allows("[fd00:0:0:8::]/61:22", "fd00:0:0:f::1", 22));
    assert_false(allows("[fd00:0:0:8::]/61:22", "fd00:0:0:10::1", 22));
    assert_true(allows("0.0.0.0/0:22", "203.0.113.7", 22));
    assert_false(allows("0.0.0.0/0:22", "2001:db8::1", 22));
    assert_true(allows("[::]/0:22", "2001:db8::1", 22));
}

static void ports_are_lists_and_ranges(void **state)
{
    static const char list[] = "10.0.0.1:22,8000-8100,65535";
    (void)state;
    assert_true(allows(list, "10.0.0.1", 22));
    assert_true(allows(list, "10.0.0.1", 8000));
    assert_true(allows(list, "10.0.0.1", 8100));
    assert_true(allows(list, "10.0.0.1", 65535));
    assert_false(allows(list, "10.0.0.1", 7999));
    assert_false(allows(list, "10.0.0.1", 8101));
    assert_false(allows(list, "10.0.0.1", 0));
    assert_true(allows("10.0.0.1:5-5", "10.0.0.1", 5));
}

static void entries_do_not_mix(void **state)
{
    static const char list[] = " 10.0.0.1:22 ;\t10.0.0.2:3389;HOME-PC:3389 ";
    (void)state;
    assert_true(allows(list, "10.0.0.1", 22));
    assert_false(allows(list, "10.0.0.1", 3389));
    assert_true(allows(list, "10.0.0.2", 3389));
    assert_false(allows(list, "10.0.0.2", 22));
    assert_true(allows_name(list, "HOME-PC", 3389));
    assert_false(allows_name(list, "HOME-PC", 22));
}

static void a_wide_network_does_not_open_the_gateway_itself(void **state)
{
    static const char list[] = "0.0.0.0/0:1-65535;[::]/0:1-65535;126.0.0.0/7:22";
    (void)state;
    assert_false(allows(list, "127.0.0.1", 22));
    assert_false(allows(list, "0.0.0.0", 22));
    assert_false(allows(list, "169.254.169.254", 80));
    assert_false(allows(list, "::1", 22));
    assert_false(allows(list, "::", 22));
    assert_false(allows(list, "fe80::1", 22));
}

static void loopback_is_allowed_to_those_who_write_loopback(void **state)
{
    (void)state;
    assert_true(allows("127.0.0.0/8:1-65535", "127.0.0.1", 2222));
    assert_true(allows("127.0.0.1:22", "127.0.0.1", 22));
    assert_false(allows("127.0.0.1:22", "127.0.0.2", 22));
    assert_true(allows("[::1]:22", "::1", 22));
    assert_true(allows("169.254.7.0/24:22", "169.254.7.1", 22));
    assert_true(allows("[fe80::]/10:22", "fe80::1", 22));
}

static void names_match_whole_and_in_any_case(void **state)
{
    (void)state;
    assert_true(allows_name("Home-PC:3389", "HOME-pc", 3389));
    assert_true(allows_name("db.example.com:22", "DB.example.COM", 22));
    assert_false(allows_name("HOME-PC:3389", "HOME-PC2", 3389));
    assert_false(allows_name("HOME-PC:3389", "HOME-P", 3389));
    assert_false(allows_name("HOME-PC:3389", "", 3389));
    assert_false(allows_name("10.0.0.1:22", "10.0.0.1", 22)); /* addresses go by address */
}

static void a_name_opens_no_address(void **state)
{
    (void)state;
    assert_false(allows("HOME-PC:22", "0.0.0.0", 22));
    assert_false(allows("HOME-PC:22", "10.0.0.1", 22));
    assert_false(allows("HOME-PC:22", "::", 22));
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *said; /* is in the message */
    } cases[] = {
        {"10.0.0.1:22,10.0.0.2:22", "there is a comma where a ; belongs"},
        {"10.0.0.1:22,3389,HOME-PC:22", "there is a comma where a ; belongs"},
        {"10.0.0.1,10.0.0.2:22", "there is a comma where a ; belongs"},
        {"10.0.0.1:22, 10.0.0.2:22", "there is a comma where a ; belongs"},
        {"10.0.0.1:22 10.0.0.2:22", "there is a space where a ; belongs"},
        {"10.0.0.1:22 HOME-PC", "there is a space where a ; belongs"},
        {"[fd00::1]:22 [fd00::2]:22", "there is a space where a ; belongs"},
        {"10.0.0.1:22|10.0.0.2:22", "there is a | where a ; belongs"},
        {"10.0.0.1|10.0.0.2:22", "there is a | where a ; belongs"},
        {"10.0.0.1:22\n10.0.0.2:22", "there is a line break or tab where a ; belongs"},
        {"10.0.0.1:22\t10.0.0.2:22", "there is a line break or tab where a ; belongs"},
        {"http://10.0.0.1:80", "is a URL"},
        {"ssh://HOME-PC", "is a URL"},
        {"192.168.1.1-20:22", "a range of addresses is written as a network"},
        {"192.168.1.1-192.168.1.20:22", "a range of addresses is written as a network"},
        {"192.168.1.*:22", "a range of addresses is written as a network"},
        {"192.168.1.0-24:22", "a range of addresses is written as a network"},
        {"10.0.0.1:ssh,rdp", "\"ssh\" is not a port"},
        {"10.0.0.1:22, 3389", "\" 3389\" is not a port"},
        {"10.0.0.1:22-", "one is missing next to a , or -"},
        {"", "empty entry"},
        {" ", "empty entry"},
        {";", "empty entry"},
        {"10.0.0.1:22;", "empty entry"},
        {"10.0.0.1:22;;10.0.0.2:22", "empty entry"},
        {"10.0.0.1", "\"10.0.0.1\" has no ports"},
        {"10.0.0.0/8", "\"10.0.0.0/8\" has no ports"},
        {"10.0.0.1:", "has no ports"},
        {"HOME-PC", "has no ports"},
        {"[fd00::1]", "has no ports"},
        {"[fd00::1]22", "has no ports"},
        {"[fd00::1]x:22", "has no ports"},
        {"10.0.0.1:0", "\"0\" is not a port"},
        {"10.0.0.1:65536", "\"65536\" is not a port"},
        {"10.0.0.1:99999999999999999999999", "is not a port"},
        {"10.0.0.1:ssh", "\"ssh\" is not a port"},
        {"10.0.0.1:-22", "is not a port"},
        {"10.0.0.1:+22", "is not a port"},
        {"10.0.0.1: 22", "is not a port"},
        {"10.0.0.1:22,", "\"\" is not a port"},
        {"10.0.0.1:22,,23", "is not a port"},
        {"10.0.0.1:22-", "is not a port"},
        {"10.0.0.1:22-23-24", "\"23-24\" is not a port"},
        {"10.0.0.1:23-22", "write 22-23"},
        {"10.0.0.1:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
         "30,31,32,33",
         "two entries"},
        {"10.0.0.0/33:22", "0 to 32"},
        {"10.0.0.0/:22", "0 to 32"},
        {"10.0.0.0/-1:22", "0 to 32"},
        {"10.0.0.0/8/8:22", "0 to 32"},
        {"[fd00::]/129:22", "0 to 128"},
        {"192.168.1.22/24:22", "192.168.1.0/24 for the whole network, or 192.168.1.22"},
        {"[fd00::1]/8:22", "[fd00::]/8 for the whole network, or [fd00::1]"},
        {"fd00::1:22", "brackets"},
        {"fd00::/8:22", "brackets"},
        {"[fd00::/8]:22", "brackets"},
        {"[10.0.0.1]:22", "brackets"},
        {"[HOME-PC]:22", "brackets"},
        {"[]:22", "brackets"},
        {"[fd00::1:22", "has no ]"},
        {":22", "neither a name nor an address"},
        {"/8:22", "neither a name nor an address"},
        {"10.0.0:22", "neither a name nor an address"},
        {"10.0.0.256:22", "neither a name nor an address"},
        {"010.0.0.1:22", "neither a name nor an address"},
        {"HOME PC:22", "neither a name nor an address"},
        {"*:22", "neither a name nor an address"},
        {"HOME-PC/24:22", "only an address can have /24 after it"},
        {"10.0.0.1:22;10.0.0.2:23;nonsense", "\"nonsense\" has no ports"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct targets *targets = NULL;
        struct why why = {""};
        if (targets_parse(cases[i].text, &targets, &why) != -EINVAL || targets) {
            fail_msg("\"%s\" was taken", cases[i].text);
        }
        if (!strstr(why.text, cases[i].said)) {
            fail_msg("\"%s\": no word of '%s' in: %s", cases[i].text, cases[i].said, why.text);
        }
    }
}

static void an_endless_entry_is_refused_and_not_repeated_whole(void **state)
{
    char text[4000];
    struct targets *targets = NULL;
    struct why why = {""};
    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(targets_parse(text, &targets, &why), -EINVAL);
    assert_true(strlen(why.text) < 150);
    memcpy(text + 400, ":22", 4);
    assert_int_equal(targets_parse(text, &targets, &why), -EINVAL);
    assert_non_null(strstr(why.text, "neither a name nor an address"));
}

static void expect_difference(const char *before, const char *after, const char *difference)
{
    char buffer[300];
    struct text text = text_over(buffer, sizeof buffer);
    struct targets *was = list_of(before), *is = list_of(after);
    targets_differ(was, is, &text);
    assert_string_equal(buffer, difference);
    targets_swap(was, is);
    text = text_over(buffer, sizeof buffer);
    targets_differ(is, was, &text);
    assert_string_equal(buffer, difference);
    targets_free(was);
    targets_free(is);
}

static void another_list_is_told_by_what_came_and_what_went(void **state)
{
    (void)state;
    expect_difference("HOME-PC:3389;10.0.0.0/8:22", " 10.0.0.0/8:22 ; home-pc:3389", "");
    expect_difference("10.0.0.0/8:22", "10.0.0.0/8:22,80-90;[fd00::]/8:22",
                      "10.0.0.0/8:22,80-90 added, [fd00::]/8:22 added, 10.0.0.0/8:22 removed");
    expect_difference("nas:22;192.168.1.22:22", "nas:22", "192.168.1.22:22 removed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_ssh_and_rdp_in_private_networks),
        cmocka_unit_test(an_address_alone_is_one_machine),
        cmocka_unit_test(a_network_ends_at_its_last_bit),
        cmocka_unit_test(ports_are_lists_and_ranges),
        cmocka_unit_test(entries_do_not_mix),
        cmocka_unit_test(a_wide_network_does_not_open_the_gateway_itself),
        cmocka_unit_test(loopback_is_allowed_to_those_who_write_loopback),
        cmocka_unit_test(names_match_whole_and_in_any_case),
        cmocka_unit_test(a_name_opens_no_address),
        cmocka_unit_test(what_makes_no_sense_is_refused_by_name),
        cmocka_unit_test(an_endless_entry_is_refused_and_not_repeated_whole),
        cmocka_unit_test(another_list_is_told_by_what_came_and_what_went),
    };
    return cmocka_run_group_tests_name("targets", tests, NULL, NULL);
}
