/* What is offered for words that are no command: only what would work as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bot_fakes.h"
#include "vps/chat/button.h"
#include "vps/chat/suggest.h"

static struct suggestions suggestions;

/* "/ssh nas, /rdp nas" */
static const char *offered(const char *typed)
{
    static char line[SUGGESTIONS_MAX * SUGGESTION_SIZE];
    struct text text = text_over(line, sizeof line);
    suggest_for(typed, "pam_bot", &suggestions);
    for (unsigned i = 0; i < suggestions.count; i++) {
        text_add(&text, "%s%s", i ? ", " : "", suggestions.commands[i]);
    }
    return line;
}

static void what_was_meant_is_offered(void **state)
{
    static const struct {
        const char *typed, *offered;
    } ROWS[] = {
        {"/shh nas", "/ssh nas"},
        {"/SSSH  bob@nas:2222 ", "/ssh bob@nas:2222"},
        {"/shh@pam_bot nas", "/ssh nas"},
        {"//ssh nas", "/ssh nas"},
        {"/rpd office/HOME-PC", "/rdp office/HOME-PC"},
        {"ssh nas", "/ssh nas"},
        {"Rdp HOME-PC", "/rdp HOME-PC"},
        {"shh nas", "/ssh nas"},
        {"192.168.1.22", "/rdp 192.168.1.22, /ssh 192.168.1.22, /vnc 192.168.1.22"},
        {" HOME-PC\n", "/rdp HOME-PC, /ssh HOME-PC, /vnc HOME-PC"},
        {"office/nas.lan", "/rdp office/nas.lan, /ssh office/nas.lan, /vnc office/nas.lan"},
        {"fd00::22", "/rdp fd00::22, /ssh fd00::22, /vnc fd00::22"},
        {"nas-2:22", "/ssh nas-2:22"},
        {"nas-2:3389", "/rdp nas-2:3389"},
        {"nas-2:5900", "/vnc nas-2:5900"},
        {"nas-2::5901", "/rdp nas-2::5901, /ssh nas-2::5901, /vnc nas-2::5901, /tcp nas-2::5901"},
        {"vnc://nas-2:5901/", "/vnc vnc://nas-2:5901/"},
        {"/tpc nas:5432", "/tcp nas:5432"},
        {"nas-2:2222", "/rdp nas-2:2222, /ssh nas-2:2222, /vnc nas-2:2222, /tcp nas-2:2222"},
        /* It would not work, or could be anything. */
        {"/shh", ""},
        {"/shh a b", ""},
        {"/ssh_nas", ""},
        {"ssh a b", ""},
        {"see you", ""},
        {"good morning", ""},
        {"1.2.3", ""},
        {"http://nas-2", ""},
        {"/frobnicate nas", ""},
        {"/", ""},
        {"", ""},
        {"😀", ""},
        {"-oProxyCommand=x", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (strcmp(offered(ROWS[i].typed), ROWS[i].offered) != 0) {
            fail_msg("\"%s\" offers \"%s\"", ROWS[i].typed, offered(ROWS[i].typed));
        }
    }
}

static void a_command_without_its_machine_is_still_known(void **state)
{
    static const struct {
        const char *typed, *name; /* NULL: none */
    } ROWS[] = {{"/shh", "ssh"}, {"/hlep", "help"}, {"help", "help"},    {"ssh", "ssh"},
                {"shh", NULL},   {"/stop", NULL},   {"/settings", NULL}, {"thanks", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        offered(ROWS[i].typed);
        const char *name = suggestions.nearest ? suggestions.nearest->name : NULL;
        if (!name != !ROWS[i].name || (name && strcmp(name, ROWS[i].name) != 0)) {
            fail_msg("\"%s\" is near to %s", ROWS[i].typed, name ? name : "nothing");
        }
    }
}

static void a_gateway_is_put_in_front(void **state)
{
    static const struct {
        const char *typed, *offered;
    } ROWS[] = {{"/ssh nas", "/ssh home/nas"},
                {" /RDP@Pam_bot  nas:1 ", "/RDP home/nas:1"},
                {"/ssh bob@nas", "/ssh home/bob@nas"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        suggestions = (struct suggestions){0};
        suggest_gateway(ROWS[i].typed, "pam_bot", "home", &suggestions);
        assert_int_equal(suggestions.count, 1);
        assert_string_equal(suggestions.commands[0], ROWS[i].offered);
    }
}

/* 64 bytes go into a button; what is longer stands below. */
static void what_is_too_long_for_a_button_is_text(void **state)
{
    struct transport *transport;
    char buffer[4096], typed[80] = "/shh ";
    struct text html = text_over(buffer, sizeof buffer);
    (void)state;
    fakes_start();
    transport = fakes_telegram();
    memset(typed + 5, 'a', 55); /* run:/ssh and 55 letters are 64 */
    typed[30] = '.';
    offered(typed);
    text_add(&html, "This?");
    suggest_say(&suggestions, transport, 42, &html);
    assert_string_equal(fake_string(0, "text"), "This?");
    assert_int_equal(strlen(fake_button(0, 0, "callback_data")), BUTTON_DATA_MAX);
    fake_message(0, 1);

    typed[60] = 'b';
    offered(typed);
    html = text_over(buffer, sizeof buffer);
    text_add(&html, "This?");
    suggest_say(&suggestions, transport, 42, &html);
    assert_non_null(strstr(fake_string(1, "text"), "This?\n<code>/ssh aaa"));
    assert_null(fake_button(1, 0, "text"));
    fake_message(1, 2);
    transport_free(transport);
    fakes_end();
}

static void a_word_is_hardly_a_machine(void **state)
{
    (void)state;
    offered("hello");
    assert_true(suggestions.may_be_a_word);
    assert_int_equal(suggestions.count, 3);
    offered("HOME-PC");
    assert_false(suggestions.may_be_a_word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_meant_is_offered),
        cmocka_unit_test(a_command_without_its_machine_is_still_known),
        cmocka_unit_test(a_gateway_is_put_in_front),
        cmocka_unit_test(what_is_too_long_for_a_button_is_text),
        cmocka_unit_test(a_word_is_hardly_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
