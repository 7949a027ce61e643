/* What a target said instead of letting somebody log in, and what is no such thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vps/session/lastwords.h"
#include "vps/session/session.h"

struct row {
    enum kind kind;
    const char *said;
    size_t len;
    const char *clause; /* NULL: nothing to tell */
};

#define SAID(bytes) bytes, sizeof bytes - 1
#define REFUSAL(code) \
    SAID("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00" code "\x00\x00\x00")
#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static const struct row ROWS[] = {
    {KIND_SSH, SAID("Not allowed at this time\r\n"),
     "the machine said: “Not allowed at this time”; its SSH server holds failed logins of all "
     "users against the gateway, and lets nobody in for a while: PerSourcePenaltyExemptList there "
     "exempts the gateway"},
    {KIND_SSH, SAID("Exceeded MaxStartups\r\n"),
     "the machine said: “Exceeded MaxStartups”; too many logins are under way there: try again in "
     "a moment"},
    {KIND_SSH, SAID("go away"), "the machine said: “go away”"},
    {KIND_SSH, SAID("\r\n Closed\tfor \r\n\r\nrepairs.\r\nSSH-2.0-x\r\n"),
     "the machine said: “Closed for repairs.”"},
    {KIND_SSH, SAID("HTTP/1.1 400 Bad Request\r\n\r\n"),
     "the machine said: “HTTP/1.1 400 Bad Request”"},
    {KIND_SSH, SAID("no SSH-1 here\r\nSSH-2.0-x\r\n"), "the machine said: “no SSH-1 here”"},
    /* Words of a hostile machine: no end of the quotation, no line of their own. */
    {KIND_SSH, SAID("a” is in.\r\n<b>\xe2\x80\xae \x9b \x7f"),
     "the machine said: “a\" is in. <b>? ? ?”"},
    {KIND_SSH, SAID(FIFTY FIFTY FIFTY FIFTY "cut"),
     "the machine said: “" FIFTY FIFTY FIFTY FIFTY "”"},
    /* Nothing was said, or it came to a login. */
    {KIND_SSH, SAID(""), NULL},
    {KIND_SSH, SAID("\r\n \r\n"), NULL},
    {KIND_SSH, SAID("SSH-2.0-OpenSSH_9.2\r\n"), NULL},
    {KIND_SSH, SAID("Welcome\r\nSSH-2.0-x\r\n\0\0\0\x0c\x0a\x14"), NULL},
    {KIND_SSH, SAID("\x16\x03\x01\0\x05"), NULL},
    {KIND_SSH, SAID("\0"), NULL},
    {KIND_SSH, REFUSAL("\x05"), NULL},
    {KIND_RDP, REFUSAL("\x01"), "the machine asks for TLS, which this client does not offer"},
    {KIND_RDP, REFUSAL("\x02"),
     "the machine takes only RDP without TLS, which this client does not offer"},
    {KIND_RDP, REFUSAL("\x03"), "the machine has no certificate for TLS"},
    {KIND_RDP, REFUSAL("\x04"), "the machine does not understand what this client offers"},
    {KIND_RDP, REFUSAL("\x05"),
     "the machine asks for Network Level Authentication, which this client does not offer"},
    {KIND_RDP, REFUSAL("\x06"),
     "the machine asks for TLS with a user certificate, which this client does not offer"},
    {KIND_RDP, REFUSAL("\x00"), NULL},
    {KIND_RDP, REFUSAL("\x07"), NULL},
    {KIND_RDP, REFUSAL("\xff"), NULL},
    {KIND_RDP, SAID("\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x01\0\0\0 and more"),
     "the machine asks for TLS, which this client does not offer"},
    /* A negotiation that went well, and a refusal that is cut off or of an odd length. */
    {KIND_RDP, SAID("\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0"), NULL},
    {KIND_RDP, SAID("\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0"), NULL},
    {KIND_RDP, SAID("\x03\0\0\x14\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\0\0"), NULL},
    {KIND_RDP, SAID("\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\x01"), NULL},
    {KIND_RDP, SAID("Not allowed at this time\r\n"), NULL},
};

static void it_is_told_if_it_is_a_word_about_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char buffer[SESSION_NOTE_MAX];
        struct text text = text_over(buffer, sizeof buffer);
        bool told = lastwords_add(&text, ROWS[i].kind, ROWS[i].said, ROWS[i].len);
        assert_string_equal(buffer, ROWS[i].clause ? ROWS[i].clause : "");
        assert_int_equal(told, ROWS[i].clause != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_if_it_is_a_word_about_why),
    };
    return cmocka_run_group_tests_name("lastwords", tests, NULL, NULL);
}
