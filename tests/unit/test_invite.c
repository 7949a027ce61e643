/* The join string: there and back, and every way in which copying it goes wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/gateway_name.h"
#include "shared/invite.h"

static const struct invite HOME = {
    .host = "vps.example.org", .port = 9000, .gateway = "home", .key = {1, 2, 3, 0xff, 0xfe, 0xfb}};
static const struct invite TIMED = {.host = "vps.example.org",
                                    .port = 9000,
                                    .gateway = "home",
                                    .key = {1, 2, 3, 0xff, 0xfe, 0xfb},
                                    .until = 1764200000};

static void assert_refused(const char *text, const char *because)
{
    struct invite invite = {.port = 7};
    struct why why = {""};
    assert_int_equal(invite_decode(text, &invite, &why), -EINVAL);
    assert_int_equal(invite.port, 7);
    if (!strstr(why.text, because)) {
        fail_msg("\"%s\" for %s", why.text, text);
    }
}

static void it_comes_back_as_it_went(void **state)
{
    struct invite longest = {.port = 65535, .until = INT64_MAX}, back;
    char text[INVITE_TEXT_MAX], padded[INVITE_TEXT_MAX + 8];
    (void)state;
    memset(longest.gateway, 'g', GATEWAY_NAME_MAX);
    for (int i = 0; i < HOST_MAX; i++) {
        longest.host[i] = i % 50 == 49 ? '.' : 'h';
    }
    const struct invite all[] = {HOME,
                                 TIMED,
                                 longest,
                                 {.host = "203.0.113.7", .port = 1, .gateway = "a"},
                                 {.host = "2001:db8::1", .port = 9000, .gateway = "x-1_y.z"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(invite_encode(&all[i], text), 0);
        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_."),
                         strlen(text));
        snprintf(padded, sizeof padded, " \t%s\r\n", text);
        assert_int_equal(invite_decode(padded, &back, NULL), 0);
        assert_memory_equal(&back, &all[i], sizeof back);
    }
}

static void a_join_string_of_today_is_read_for_ever(void **state)
{
    char text[INVITE_TEXT_MAX];
    (void)state;
    assert_int_equal(invite_encode(&HOME, text), 0);
    assert_string_equal(text, "pamtunnel1.AD8jKAECA__--wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                              "ARob21lAA92cHMuZXhhbXBsZS5vcmfcZMtA");
    assert_int_equal(invite_encode(&TIMED, text), 0);
    assert_string_equal(text, "pamtunnel2.AEcjKAECA__--wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAGkn"
                              "jkAABGhvbWUAD3Zwcy5leGFtcGxlLm9yZ7LkeyI");
}

static void what_is_no_invite_is_not_encoded(void **state)
{
    struct invite invite = HOME;
    char text[INVITE_TEXT_MAX];
    (void)state;
    invite.port = 0;
    assert_int_equal(invite_encode(&invite, text), -EINVAL);
    invite = HOME;
    invite.until = -1;
    assert_int_equal(invite_encode(&invite, text), -EINVAL);
    invite = HOME;
    strcpy(invite.gateway, "-");
    assert_int_equal(invite_encode(&invite, text), -EINVAL);
    invite = HOME;
    strcpy(invite.host, "two words");
    assert_int_equal(invite_encode(&invite, text), -EINVAL);
}

static void another_text_is_told_to_be_none(void **state)
{
    (void)state;
    assert_refused("", "that is not a join string");
    assert_refused("hello", "that is not a join string");
    assert_refused("pamtunnel", "that is not a join string");
    assert_refused("pamtunnelx.AAAA", "that is not a join string");
    assert_refused("123456:ABC-DEF", "that is not a join string");
    assert_refused("pamtunnel3.AAAA", "version 3");
    assert_refused("pamtunnel0.AAAA", "version 0");
    assert_refused("pamtunnel1234567.AAAA", "that is not a join string");
}

static void a_cut_tail_is_told(void **state)
{
    const struct invite *const both[] = {&HOME, &TIMED};
    char text[INVITE_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(invite_encode(both[i], text), 0);
        for (size_t len = strlen(text) - 1; len >= strlen("pamtunnel1."); len--) {
            text[len] = '\0';
            assert_refused(text, "the end of the join string is missing");
        }
    }
}

static void what_follows_is_told(void **state)
{
    char text[INVITE_TEXT_MAX + 600], *end;
    (void)state;
    assert_int_equal(invite_encode(&HOME, text), 0);
    end = text + strlen(text);
    strcpy(end, "abcd");
    assert_refused(text, "something follows");
    memset(end, 'a', 550);
    end[550] = '\0';
    assert_refused(text, "something follows");
    strcpy(end, " and more");
    assert_refused(text, "does not belong in it");
}

/* Every character, and every other one of the alphabet that could stand there. */
static void every_single_typing_error_is_noticed(void **state)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const struct invite *const both[] = {&TIMED, &HOME};
    char text[INVITE_TEXT_MAX];
    struct invite invite;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(invite_encode(both[i], text), 0);
        for (char *c = text; *c; c++) {
            char right = *c;
            for (const char *wrong = ALPHABET; *wrong; wrong++) {
                *c = *wrong;
                assert_int_equal(invite_decode(text, &invite, NULL), *wrong == right ? 0 : -EINVAL);
            }
            *c = right;
        }
    }
    text[40] = text[40] == 'A' ? 'B' : 'A';
    assert_refused(text, "a character of the join string is wrong");
    text[40] = '*';
    assert_refused(text, "does not belong in it");
}

/* ---- what was pasted -------------------------------------------------------- */

static void a_pasted_command_line_is_as_good_as_the_string(void **state)
{
    static const struct {
        const char *before, *inside, *after;
    } ROWS[] = {
        {"", "", ""},
        {" \t", "", " \r\n"},
        {"gateway-agent --join ", "", ""},
        {"sudo gateway-agent --join '", "", "'"},
        {"pi@gw:~$ sudo gateway-agent --join=\"", "", "\""},
        {"sudo gateway-agent --join -\n\n", "", "\n"},
        {"    sudo gateway-agent --join -\r\n    \xc2\xa0", "", ""},
        {"\xef\xbb\xbf\xe2\x80\x9c", "", "\xe2\x80\x9d"},
        {"`", "", "`"},
        {"", "\n", ""},
        {"", "\r\n   ", "\r\n"},
        {"sudo gateway-agent --join ", "\xe2\x80\x8b", ""},
        {"\"", "\"\n\"", "\""},
    };
    char text[INVITE_TEXT_MAX], pasted[2 * INVITE_TEXT_MAX];
    struct invite back;
    (void)state;
    assert_int_equal(invite_encode(&TIMED, text), 0);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        snprintf(pasted, sizeof pasted, "%s%.50s%s%s%s", ROWS[i].before, text, ROWS[i].inside,
                 text + 50, ROWS[i].after);
        assert_false(invite_goes_on(pasted));
        invite_extract(pasted);
        assert_string_equal(pasted, text);
        assert_int_equal(invite_decode(pasted, &back, NULL), 0);
        assert_memory_equal(&back, &TIMED, sizeof back);
    }
}

static void what_else_is_pasted_is_not_swallowed(void **state)
{
    static const char *const REST[] = {
        " --force", " --env-file /etc/x", " and more", " && reboot", "\npamtunnel1.AAAA", ".", ";"};
    char text[INVITE_TEXT_MAX], pasted[2 * INVITE_TEXT_MAX];
    (void)state;
    assert_int_equal(invite_encode(&HOME, text), 0);
    for (size_t i = 0; i < sizeof REST / sizeof *REST; i++) {
        snprintf(pasted, sizeof pasted, "%s%s", text, REST[i]);
        assert_false(invite_goes_on(pasted));
        invite_extract(pasted);
        struct invite invite = {.port = 7};
        assert_int_equal(invite_decode(pasted, &invite, NULL), -EINVAL);
        assert_int_equal(invite.port, 7);
    }
    strcpy(pasted, "no such \"thing\"");
    invite_extract(pasted);
    assert_string_equal(pasted, "no such \"thing\"");
}

static void the_first_part_of_a_paste_goes_on(void **state)
{
    char text[INVITE_TEXT_MAX];
    (void)state;
    assert_true(invite_goes_on("sudo gateway-agent --join -"));
    assert_true(invite_goes_on("gateway-agent --join pamtunnel1."));
    assert_false(invite_goes_on(""));
    assert_false(invite_goes_on("hello"));
    assert_false(invite_goes_on("pamtunnel9.AAAA"));
    assert_int_equal(invite_encode(&TIMED, text), 0);
    assert_false(invite_goes_on(text));
    for (size_t len = strlen(text) - 1; len >= strlen("pamtunnel2."); len--) {
        text[len] = '\0';
        assert_true(invite_goes_on(text));
    }
    assert_false(invite_goes_on("pamtunnel2.AEcj*AECA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back_as_it_went),
        cmocka_unit_test(a_join_string_of_today_is_read_for_ever),
        cmocka_unit_test(what_is_no_invite_is_not_encoded),
        cmocka_unit_test(another_text_is_told_to_be_none),
        cmocka_unit_test(a_cut_tail_is_told),
        cmocka_unit_test(what_follows_is_told),
        cmocka_unit_test(every_single_typing_error_is_noticed),
        cmocka_unit_test(a_pasted_command_line_is_as_good_as_the_string),
        cmocka_unit_test(what_else_is_pasted_is_not_swallowed),
        cmocka_unit_test(the_first_part_of_a_paste_goes_on),
    };
    return cmocka_run_group_tests_name("invite", tests, NULL, NULL);
}
