/* Commands as people type them, and what buttons send back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vps/chat/button.h"
#include "vps/chat/command.h"

static enum command_result parse(const char *text, struct command *ret_command)
{
    struct why why = {""};
    enum command_result result = command_parse(text, "Pam_bot", ret_command, &why);
    assert_true((result == COMMAND_BAD) == (why.text[0] != '\0'));
    return result;
}

static void targets_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum kind kind;
        const char *gateway, *user, *host;
        uint16_t port;
    } CASES[] = {
        {"/rdp HOME-PC", KIND_RDP, "", "", "HOME-PC", 3389},
        {"/ssh 192.168.1.22", KIND_SSH, "", "", "192.168.1.22", 22},
        {"/ssh root@192.168.1.22:2222", KIND_SSH, "", "root", "192.168.1.22", 2222},
        {"/ssh fd00::22", KIND_SSH, "", "", "fd00::22", 22},
        {"/rdp [fd00::22]:3390", KIND_RDP, "", "", "fd00::22", 3390},
        {"/ssh office/bob@nas.lan", KIND_SSH, "office", "bob", "nas.lan", 22},
        {"/rdp@pam_bot pc", KIND_RDP, "", "", "pc", 3389},
        {"/vnc pc", KIND_VNC, "", "", "pc", 5900},
        {"/vnc pc:1", KIND_VNC, "", "", "pc", 5901},
        {"/vnc pc:99", KIND_VNC, "", "", "pc", 5999},
        {"/vnc pc:100", KIND_VNC, "", "", "pc", 100},
        {"/vnc pc::5901", KIND_VNC, "", "", "pc", 5901},
        {"/vnc 192.168.1.30::5901", KIND_VNC, "", "", "192.168.1.30", 5901},
        {"/vnc fd00::5901", KIND_VNC, "", "", "fd00::5901", 5900},
        {"/vnc vnc://anna@pc:5901", KIND_VNC, "", "anna", "pc", 5901},
        {"/tcp nas:5432", KIND_TCP, "", "", "nas", 5432},
        {"/tcp [fd00::5]:80", KIND_TCP, "", "", "fd00::5", 80},
        {"/tcp nas", KIND_TCP, "", "", "nas", 0}, /* which the policy may know */
        {"/RDP@PAM_BOT pc", KIND_RDP, "", "", "pc", 3389},
        {"/Rdp   pc  ", KIND_RDP, "", "", "pc", 3389},
        {"  /rdp\tpc\n", KIND_RDP, "", "", "pc", 3389},
        {"/rdp\u00a0pc", KIND_RDP, "", "", "pc", 3389},
        {"/rdp anna@pc", KIND_RDP, "", "anna", "pc", 3389},
        {"/rdp CORP\\mxu@pc", KIND_RDP, "", "CORP\\mxu", "pc", 3389},
        {"/ssh bob@office/nas.lan", KIND_SSH, "office", "bob", "nas.lan", 22},
        {"/ssh mxu@corp.local@pc", KIND_SSH, "", "mxu@corp.local", "pc", 22},
        {"/ssh  First Last@pc:23 \n", KIND_SSH, "", "First Last", "pc", 23},
        {"/rdp office/First\u00a0Last@pc", KIND_RDP, "office", "First Last", "pc", 3389},
        {"/ssh ssh://bob@nas:2222/", KIND_SSH, "", "bob", "nas", 2222},
        {"/rdp \u202aHOME-PC.\u202c", KIND_RDP, "", "", "HOME-PC", 3389},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct command command;
        if (parse(CASES[i].text, &command) != COMMAND_OK) {
            fail_msg("\"%s\" is not understood", CASES[i].text);
        }
        assert_true(command.row->opens);
        assert_int_equal(command.row->kind, CASES[i].kind);
        assert_string_equal(command.target.gateway, CASES[i].gateway);
        assert_string_equal(command.target.user, CASES[i].user);
        assert_string_equal(command.target.host, CASES[i].host);
        assert_int_equal(command.target.port, CASES[i].port);
    }
}

static void what_it_is_for_follows_the_target(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *reason;
    } CASES[] = {
        {"/rdp pc", "pc", ""},
        {"/rdp pc why: the printer is out of toner", "pc", "the printer is out of toner"},
        {"/rdp pc  Why:the printer", "pc", "the printer"},
        {"/rdp pc\nwhy: two\nlines", "pc", "two\nlines"},
        {"/rdp pc\u00a0WHY: \u00a0x", "pc", "x"},
        {"/rdp pc why:", "pc", ""},
        {"/rdp pc why: a why: b", "pc", "a why: b"},
        {"/ssh First Last@pc why: x", "pc", "x"},
        {"/ssh why:22", "why", ""}, /* that is a machine */
        {"/ssh why:22 why: why", "why", "why"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct command command;
        if (parse(CASES[i].text, &command) != COMMAND_OK) {
            fail_msg("\"%s\" is not understood", CASES[i].text);
        }
        assert_string_equal(command.target.host, CASES[i].host);
        assert_string_equal(command.reason, CASES[i].reason);
    }
    struct command command;
    assert_int_equal(parse("/rdp why: x", &command), COMMAND_BAD);
    assert_int_equal(parse("/rdp pc because", &command), COMMAND_BAD);
    assert_int_equal(parse("/help why: x", &command), COMMAND_OK);
    assert_string_equal(command.reason, "");
}

static void help_takes_anything(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"/help", "/start", "/start payload_1", "/HELP me please",
                                        "/help@pam_bot"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct command command;
        assert_int_equal(parse(TEXTS[i], &command), COMMAND_OK);
        assert_ptr_equal(command.row->run, help_run);
    }
}

static void bad_arguments_are_explained(void **state)
{
    (void)state;
    char too_long[1000] = "/rdp ";
    memset(too_long + 5, 'a', sizeof too_long - 6);
    const char *const TEXTS[] = {
        "/rdp",          "/rdp ",
        "/ssh\u00a0",    "/rdp a b",
        "/rdp a\u00a0b", "/rdp user@host b",
        "/ssh a:0",      "/ssh a:65536",
        "/ssh a:22x",    "/ssh -oProxyCommand=x",
        "/ssh a;id",     "/ssh $(id)",
        "/ssh <b>",      "/rdp http://a/b",
        "/ssh [fd00::1", "/ssh -x@host",
        "/ssh Ünicode",  "/ssh \xff\xfe",
        "/ssh a\x01",    too_long,
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct command command;
        if (parse(TEXTS[i], &command) != COMMAND_BAD) {
            fail_msg("\"%s\" is accepted", TEXTS[i]);
        }
        assert_true(command.row->opens);
    }
}

static void the_rest_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum command_result result;
    } CASES[] = {
        {"", COMMAND_NOT},
        {"  ", COMMAND_NOT},
        {"hello", COMMAND_NOT},
        {"rdp HOME-PC", COMMAND_NOT},
        {"hello /rdp x", COMMAND_NOT},
        {"/", COMMAND_UNKNOWN},
        {"/ rdp x", COMMAND_UNKNOWN},
        {"//rdp x", COMMAND_UNKNOWN},
        {"/rd x", COMMAND_UNKNOWN},
        {"/rdpx x", COMMAND_UNKNOWN},
        {"/shutdown", COMMAND_UNKNOWN},
        {"/rdp@other_bot x", COMMAND_ELSEWHERE},
        {"/rdp@ x", COMMAND_ELSEWHERE},
        {"/rdp@pam_bo x", COMMAND_ELSEWHERE},
        {"/rdp@pam_bot2 x", COMMAND_ELSEWHERE},
        {"/unknown@other_bot", COMMAND_ELSEWHERE},
        {"/ssh\xc2", COMMAND_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct command command;
        if (parse(CASES[i].text, &command) != CASES[i].result) {
            fail_msg("\"%s\" is taken for something else", CASES[i].text);
        }
    }
}

static void the_table_keeps_telegrams_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t len = strlen(COMMANDS[i].name);
        assert_in_range(len, 1, 32);
        assert_int_equal(strspn(COMMANDS[i].name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
        assert_in_range(strlen(COMMANDS[i].help), 1, 256);
        if (COMMANDS[i].opens) { /* what users are told to type works */
            struct command command;
            assert_int_equal(parse(COMMANDS[i].example, &command), COMMAND_OK);
            assert_ptr_equal(command.row, &COMMANDS[i]);
        }
    }
}

static void no_two_commands_have_one_name_and_each_is_handled(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        assert_non_null(COMMANDS[i].run);
        assert_int_not_equal(COMMANDS[i].who, WHO_OWNER); /* there is no session yet to own */
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(COMMANDS[i].name, COMMANDS[k].name);
        }
    }
}

/* --- buttons --- */

static void each_button_fits_and_is_handled(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BUTTON_COUNT; i++) {
        char data[BUTTON_DATA_SIZE];
        struct button_press press;
        assert_non_null(BUTTONS[i].run);
        assert_in_range(BUTTONS[i].over, 0, ANSWER_COUNT - 1);
        assert_int_equal(BUTTONS[i].label[0] == '\0',
                         i == BUTTON_RUN || i == BUTTON_MACHINE || i == BUTTON_WAKE_UP);
        button_format((enum button_verb)i, "k3f9q2wx", 999999999, data);
        assert_true(strlen(data) < BUTTON_DATA_MAX); /* nothing was cut off */
        assert_int_equal(button_parse(data, &press), 0);
        assert_int_equal(press.verb, i);
        assert_null(press.session);
    }
}

static void buttons_survive_the_round_trip(void **state)
{
    (void)state;
    static const enum button_verb VERBS[] = {BUTTON_CLOSE, BUTTON_ADMIT, BUTTON_BLOCK,
                                             BUTTON_WHO_WAITS};
    for (size_t i = 0; i < 4; i++) {
        char data[BUTTON_DATA_SIZE];
        struct button_press press;
        button_format(VERBS[i], "k3f9q2wx", 123456789, data);
        assert_in_range(strlen(data), 1, BUTTON_DATA_MAX);
        assert_int_equal(button_parse(data, &press), 0);
        assert_int_equal(press.verb, VERBS[i]);
        assert_string_equal(press.id, "k3f9q2wx");
        assert_int_equal(press.number,
                         VERBS[i] == BUTTON_CLOSE || VERBS[i] == BUTTON_WHO_WAITS ? 0 : 123456789);
    }
}

static void a_command_fits_into_a_button_or_does_not(void **state)
{
    (void)state;
    char data[BUTTON_DATA_SIZE], command[80] = "/ssh ";
    struct button_press press;
    memset(command + 5, 'a', 55);
    assert_int_equal(button_format_command(command, data), 0);
    assert_int_equal(strlen(data), BUTTON_DATA_MAX);
    assert_int_equal(button_parse(data, &press), 0);
    assert_int_equal(press.verb, BUTTON_RUN);
    assert_string_equal(press.command, command);
    assert_int_equal(button_parse("close:ab", &press), 0);
    assert_null(press.command);
    command[60] = 'a';
    assert_int_equal(button_format_command(command, data), -EMSGSIZE);
}

static void forged_buttons_are_refused(void **state)
{
    (void)state;
    static const char *const DATA[] = {
        "",
        "close",
        "close:",
        "close:abcdefghi",
        "close:ab:1",
        "Close:ab",
        "closed:ab",
        "admit:ab",
        "admit:ab:",
        "admit:ab:x",
        "admit:ab:-1",
        "admit::1",
        "admit:ab:1:",
        "admit:ab:1x",
        "block:ab:1234567890",
        "block: ab:1:1",
        "open:ab",
        ":ab",
        "admit:ab:+1",
        "admit:ab: 1",
        "who:ab:1",
        "who",
    };
    for (size_t i = 0; i < sizeof DATA / sizeof *DATA; i++) {
        struct button_press press;
        if (button_parse(DATA[i], &press) != -EINVAL) {
            fail_msg("\"%s\" is accepted", DATA[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_read),
        cmocka_unit_test(what_it_is_for_follows_the_target),
        cmocka_unit_test(help_takes_anything),
        cmocka_unit_test(bad_arguments_are_explained),
        cmocka_unit_test(the_rest_is_told_apart),
        cmocka_unit_test(the_table_keeps_telegrams_rules),
        cmocka_unit_test(no_two_commands_have_one_name_and_each_is_handled),
        cmocka_unit_test(each_button_fits_and_is_handled),
        cmocka_unit_test(buttons_survive_the_round_trip),
        cmocka_unit_test(a_command_fits_into_a_button_or_does_not),
        cmocka_unit_test(forged_buttons_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
