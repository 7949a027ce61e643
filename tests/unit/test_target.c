/* Targets, as people type and paste them, and what they must never bring into a shell. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/target.h"

#define A10     "aaaaaaaaaa"
#define L63     A10 A10 A10 A10 A10 A10 "aaa"
#define USER_64 L63 "a"

static void a_target_is_read_in_every_form(void **state)
{
    static const struct {
        const char *text;
        struct target target;
    } ROWS[] = {
        {"HOME-PC", {"", "", "HOME-PC", 22, false}},
        {"HOME-PC:2222", {"", "", "HOME-PC", 2222, false}},
        {"192.168.1.22", {"", "", "192.168.1.22", 22, false}},
        {"192.168.1.22:1", {"", "", "192.168.1.22", 1, false}},
        {"fd00::22", {"", "", "fd00::22", 22, false}},
        {"fd00::22:2222", {"", "", "fd00::22:2222", 22, false}}, /* that is an address */
        {"[fd00::22]", {"", "", "fd00::22", 22, false}},
        {"[fd00::22]:65535", {"", "", "fd00::22", 65535, false}},
        {"[::ffff:10.0.0.1]:22", {"", "", "::ffff:10.0.0.1", 22, false}},
        {"anna@HOME-PC", {"", "anna", "HOME-PC", 22, false}},
        {"_a.b-c@h:23", {"", "_a.b-c", "h", 23, false}},
        {"anna@[fd00::22]:23", {"", "anna", "fd00::22", 23, false}},
        {"office/HOME-PC", {"office", "", "HOME-PC", 22, false}},
        {"office-2.b_c/anna@[::1]:23", {"office-2.b_c", "anna", "::1", 23, false}},
        {"a:00022", {"", "", "a", 22, false}},
        {"anna@office/a", {"office", "anna", "a", 22, false}},
        {"office/anna@a", {"office", "anna", "a", 22, false}},
        {"anna@office/[::1]:23", {"office", "anna", "::1", 23, false}},
        /* as users are called */
        {"CORP\\mxu@a", {"", "CORP\\mxu", "a", 22, false}},
        {"mxu@corp.local@a", {"", "mxu@corp.local", "a", 22, false}},
        {"mxu@corp.local@office/a:23", {"office", "mxu@corp.local", "a", 23, false}},
        {"mx.u+tag@a", {"", "mx.u+tag", "a", 22, false}},
        {"First Last@a", {"", "First Last", "a", 22, false}},
        {"CORP\\First Last@a", {"", "CORP\\First Last", "a", 22, false}},
        {"First\u00a0Last@a", {"", "First Last", "a", 22, false}},
        {USER_64 "@a", {"", USER_64, "a", 22, false}},
        /* as they are pasted */
        {"a.", {"", "", "a", 22, false}},
        {"pc.lan.:23", {"", "", "pc.lan", 23, false}},
        {"192.168.1.22.", {"", "", "192.168.1.22", 22, false}},
        {"a/", {"", "", "a", 22, false}},
        {"ssh://a", {"", "", "a", 22, false}},
        {"SSH://anna@a:23/", {"", "anna", "a", 23, false}},
        {"rdp://[fd00::22]:23", {"", "", "fd00::22", 23, false}},
        {"sftp://anna@office/a", {"office", "anna", "a", 22, false}},
        {"\u200b192.168.1.22\u200b", {"", "", "192.168.1.22", 22, false}},
        {"\u202aHOME-PC\u202c", {"", "", "HOME-PC", 22, false}},
        {"HOME\u2011PC", {"", "", "HOME-PC", 22, false}},
        {"HOME\u2013PC\ufeff", {"", "", "HOME-PC", 22, false}},
        {"\uff11\uff19\uff12\uff0e168\u30021.22\uff1a23", {"", "", "192.168.1.22", 23, false}},
        {"anna\uff20office\uff0fa", {"office", "anna", "a", 22, false}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct target target;
        struct why why = {""};
        int err = target_parse(ROWS[i].text, 22, &target, &why);
        if (err != 0) {
            fail_msg("\"%s\" is refused: %s", ROWS[i].text, why.text);
        }
        assert_string_equal(target.gateway, ROWS[i].target.gateway);
        assert_string_equal(target.user, ROWS[i].target.user);
        assert_string_equal(target.host, ROWS[i].target.host);
        assert_int_equal(target.port, ROWS[i].target.port);
    }
}

#define NO_HOST    "not a host name or an IP address"
#define NO_PORT    "from 1 to 65535"
#define NO_USER    "user name is"
#define NO_GATEWAY "name of one gateway"

static void a_target_that_is_none_is_refused_with_what_to_write_instead(void **state)
{
    static const struct {
        const char *text, *why;
    } ROWS[] = {
        {"", NO_HOST},
        {" ", NO_HOST},
        {":22", NO_HOST},
        {"a b", NO_HOST},
        {"a;b", NO_HOST},
        {"127.1:22", NO_HOST},
        {"[::1", NO_HOST},
        {"[::1]22", NO_HOST},
        {"[]", NO_HOST},
        {"[]:22", NO_HOST},
        {"[", NO_HOST},
        {"]", NO_HOST},
        {"[[::1]]:22", NO_HOST},
        {"[HOME-PC]:22", NO_HOST},
        {"[192.168.1.22]:22", NO_HOST},
        {"[fe80::1%eth0]:22", NO_HOST},
        {"fe80::1%eth0", NO_HOST},
        {"a:b:22", NO_HOST},
        {"a/b/c", NO_HOST},
        {"-oProxyCommand=x", NO_HOST},
        {L63 "a", NO_HOST},
        {"a:", NO_PORT},
        {"a:0", NO_PORT},
        {"a:65536", NO_PORT},
        {"a:4294967318", NO_PORT}, /* 2^32 + 22 */
        {"a:-1", NO_PORT},
        {"a:+22", NO_PORT},
        {"a: 22", NO_PORT},
        {"a:22 ", NO_PORT},
        {"a:22x", NO_PORT},
        {"a:0x16", NO_PORT},
        {"a:000022", NO_PORT},
        {"[::1]:", NO_PORT},
        {"[::1]:0", NO_PORT},
        {"@a", NO_USER},
        {"-l@a", NO_USER},
        {".a@a", NO_USER},
        {"$(x)@a", NO_USER},
        {USER_64 "a@a", NO_USER},
        {"a@b@c@d", NO_USER},
        {"CORP\\anna@corp.local@a", NO_USER},
        {"CORP\\\\anna@a", NO_USER},
        {"CORP\\@a", NO_USER},
        {"\\anna@a", NO_USER},
        {"CORP\\-l@a", NO_USER},
        {"CORP\\$x@a", NO_USER},
        {"First  Last@a", NO_USER},
        {"First @a", NO_USER},
        {" First@a", NO_USER},
        {"First -l@a", NO_USER},
        {"First \\Last@a", NO_USER},
        {"anna@-x@a", NO_USER},
        {"+a@a", NO_USER},
        {"/a", NO_GATEWAY},
        {"-x/a", NO_GATEWAY},
        {"a b/a", NO_GATEWAY},
        {L63 "a/a", NO_GATEWAY},
        {"home/anna@office/a", NO_GATEWAY},
        {"http://a/", "Leave out the ://"},
        {"ftp://anna@a", "Leave out the ://"},
        {"192.168.1.0/24", "one machine, not a whole network"},
        {"fd00::/64", NO_GATEWAY},
        {"[HOME-PC]", "only an IPv6 address goes in brackets"},
        {"192.168.077.22", "without leading zeros"},
        {"fe80::1%eth0", "leave out the %"},
        {"a..", NO_HOST},
        {".", NO_HOST},
        {"/", NO_GATEWAY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct target target = {.host = "untouched"};
        struct why why = {""};
        if (target_parse(ROWS[i].text, 22, &target, &why) != -EINVAL) {
            fail_msg("\"%s\" is taken", ROWS[i].text);
        }
        if (!strstr(why.text, ROWS[i].why)) {
            fail_msg("\"%s\" is refused because \"%s\"", ROWS[i].text, why.text);
        }
        assert_string_equal(target.host, "untouched");
    }
}

static void names_of_any_length_do_not_overrun(void **state)
{
    static const char *const FORMS[] = {"%s", "%s:22", "[%s]:22", "%s@a", "%s/a", "a@%s", "a/%s"};
    char name[2000], text[2100];
    struct target target;
    (void)state;
    for (size_t len = 240; len < sizeof name; len += len < 300 ? 1 : 500) {
        memset(name, 'a', len);
        name[len] = '\0';
        for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
            snprintf(text, sizeof text, "%.*s%s%s", (int)strcspn(FORMS[i], "%"), FORMS[i], name,
                     strchr(FORMS[i], '%') + 2);
            assert_int_equal(target_parse(text, 22, &target, NULL), -EINVAL);
        }
        for (size_t i = 1; i < len; i += 2) { /* not cut off where it would be a name */
            name[i] = '.';
        }
        assert_int_equal(target_parse(name, 22, &target, NULL), len > HOST_MAX + 1 ? -EINVAL : 0);
    }
}

/* Each character by itself and between letters: none that a shell reads gets through. */
static void no_user_name_means_anything_to_a_shell(void **state)
{
    static const char TAKEN[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-+\\@ ";
    char text[32];
    struct target target;
    (void)state;
    for (int c = 1; c < 256; c++) {
        snprintf(text, sizeof text, "a%cb@host", c);
        bool taken = target_parse(text, 22, &target, NULL) == 0 && target.user[0];
        bool expected = strchr(TAKEN, c) != NULL;
        if (taken != expected && c != '/') { /* which ends a gateway's name */
            fail_msg("character %d is %s", c, taken ? "taken" : "refused");
        }
    }
}

static void smart_quotes_and_full_width_signs_are_what_they_look_like(void **state)
{
    static const char *const REFUSED[] = {
        "a\u2019b@h", "a\u201cb@h", "a\uff04b@h", "a\uff40b@h",  "a\uff02b@h",
        "a\uff05b@h", "a\u037eb@h", "a\u00a5b@h", "a\u2028-b@h", "\uff0doProxyCommand=x@h",
        "\u2014l@h",
    };
    struct target target;
    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        if (target_parse(REFUSED[i], 22, &target, NULL) == 0) {
            fail_msg("row %zu is taken as \"%s\"", i, target.user);
        }
    }
}

static void a_plain_user_name_needs_no_quotes(void **state)
{
    static const char *const QUOTED[] = {"CORP\\mxu", "mxu@corp.local", "mx.u+tag", "First Last"};
    (void)state;
    assert_true(user_name_is_plain(""));
    assert_true(user_name_is_plain("_a.b-c9"));
    for (size_t i = 0; i < sizeof QUOTED / sizeof *QUOTED; i++) {
        assert_false(user_name_is_plain(QUOTED[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_read_in_every_form),
        cmocka_unit_test(a_target_that_is_none_is_refused_with_what_to_write_instead),
        cmocka_unit_test(names_of_any_length_do_not_overrun),
        cmocka_unit_test(no_user_name_means_anything_to_a_shell),
        cmocka_unit_test(smart_quotes_and_full_width_signs_are_what_they_look_like),
        cmocka_unit_test(a_plain_user_name_needs_no_quotes),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
