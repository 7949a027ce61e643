/* What is asked of a LAN, byte by byte, and what is taken for an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/names/dns_message.h"
#include "gateway/names/lan_question.h"
#include "gateway/names/netbios_name.h"

#define HOME_PC_20  "EIEPENEFCNFAEDCACACACACACACACACA" /* "HOME-PC", a file server */
#define HOME_PC_00  "EIEPENEFCNFAEDCACACACACACACACAAA"
#define ADDRESS     "\xc0\xa8\x01\x16"
#define BYTES(text) text, sizeof(text) - 1

static struct lan_question question_for(enum lan_protocol protocol, const char *name)
{
    return (struct lan_question){.protocol = protocol,
                                 .name = name,
                                 .family = AF_INET,
                                 .id = 0x1234,
                                 .suffix = NETBIOS_FILE_SERVER};
}

static void expect_question(const struct lan_question *question, const char *bytes, size_t len)
{
    uint8_t written[LAN_QUESTION_MAX];
    assert_int_equal(lan_question_write(question, written), len);
    assert_memory_equal(written, bytes, len);
}

static void expect_no_question(struct lan_question question)
{
    uint8_t written[LAN_QUESTION_MAX];
    assert_int_equal(lan_question_write(&question, written), 0);
}

static unsigned read_answer(enum lan_protocol protocol, const char *bytes, size_t len,
                            struct addr addrs[LAN_ADDRS_MAX])
{
    struct lan_question question = question_for(protocol, "Home-Pc");
    return lan_question_read(&question, bytes, len, addrs);
}

static void expect_address(enum lan_protocol protocol, const char *bytes, size_t len)
{
    struct addr addrs[LAN_ADDRS_MAX];
    char text[ADDR_TEXT_MAX];
    assert_int_equal(read_answer(protocol, bytes, len, addrs), 1);
    assert_string_equal(addr_text(&addrs[0], text), "192.168.1.22:0");
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(read_answer(protocol, bytes, cut, addrs), 0);
    }
}

static void expect_nothing(enum lan_protocol protocol, const char *bytes, size_t len)
{
    struct addr addrs[LAN_ADDRS_MAX];
    assert_int_equal(read_answer(protocol, bytes, len, addrs), 0);
}

static void questions_are_those_of_the_protocols(void **state)
{
    struct lan_question question = question_for(LAN_MDNS, "HOME-PC");
    (void)state;
    expect_question(&question, BYTES("\x12\x34\0\0\0\1\0\0\0\0\0\0\7HOME-PC\5local\0\0\1\0\1"));
    question.name = "HOME-PC.Local";
    expect_question(&question, BYTES("\x12\x34\0\0\0\1\0\0\0\0\0\0\7HOME-PC\5Local\0\0\1\0\1"));
    question = question_for(LAN_LLMNR, "HOME-PC");
    question.family = AF_INET6;
    expect_question(&question, BYTES("\x12\x34\0\0\0\1\0\0\0\0\0\0\7HOME-PC\0\0\x1c\0\1"));
    question = question_for(LAN_NETBIOS, "home-pc");
    expect_question(&question,
                    BYTES("\x12\x34\1\x10\0\1\0\0\0\0\0\0\x20" HOME_PC_20 "\0\0\x20\0\1"));
    question.suffix = NETBIOS_WORKSTATION;
    expect_question(&question,
                    BYTES("\x12\x34\1\x10\0\1\0\0\0\0\0\0\x20" HOME_PC_00 "\0\0\x20\0\1"));
}

static void a_name_that_a_protocol_cannot_have_is_not_asked_for(void **state)
{
    struct lan_question v6 = question_for(LAN_NETBIOS, "home-pc");
    (void)state;
    v6.family = AF_INET6;
    expect_no_question(v6);
    expect_no_question(question_for(LAN_NETBIOS, "sixteen-letters-"));
    expect_no_question(question_for(LAN_NETBIOS, "home-pc.local"));
    expect_no_question(question_for(LAN_LLMNR, "home-pc.local"));
    expect_no_question(question_for(LAN_MDNS, "home-pc.example.org"));
    assert_true(lan_question_is_for("HOME-PC"));
    assert_true(lan_question_is_for("HOME-PC.LOCAL"));
    assert_false(lan_question_is_for("home-pc.fritz.box"));
    assert_false(lan_question_is_for(".local"));
}

static void answers_of_each_protocol_are_read(void **state)
{
    (void)state;
    /* avahi repeats the question; the name of the answer points to it */
    expect_address(LAN_MDNS, BYTES("\x12\x34\x84\0\0\1\0\1\0\0\0\0\7HOME-PC\5local\0\0\1\0\1"
                                   "\xc0\x0c\0\1\0\1\0\0\0\x0a\0\4" ADDRESS));
    /* from the multicast form, with the bit that tells caches to forget */
    expect_address(LAN_MDNS, BYTES("\x12\x34\x84\0\0\0\0\1\0\0\0\0\7HOME-PC\5local\0\0\1\x80\1"
                                   "\0\0\0\x78\0\4" ADDRESS));
    expect_address(LAN_LLMNR, BYTES("\x12\x34\x80\0\0\1\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                    "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" ADDRESS));
    expect_address(LAN_NETBIOS, BYTES("\x12\x34\x85\0\0\0\0\1\0\0\0\0\x20" HOME_PC_20
                                      "\0\0\x20\0\1\0\3\xf4\x80\0\6\x60\0" ADDRESS));
    expect_address(LAN_NETBIOS, BYTES("\x12\x34\x85\0\0\0\0\1\0\0\0\0\x20" HOME_PC_00
                                      "\0\0\x20\0\1\0\3\xf4\x80\0\6\x60\0" ADDRESS));
}

static void what_is_no_answer_to_the_question_gives_nothing(void **state)
{
    (void)state;
    /* another number, a question, a refusal, another name, another class, another type */
    expect_nothing(LAN_LLMNR, BYTES("\x12\x35\x80\0\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\0\0\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\x80\3\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\x80\0\0\0\0\1\0\0\0\0\7home-px\0\0\1\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\x80\0\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\3"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\x80\0\0\0\0\1\0\0\0\0\7home-pc\0\0\x10\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    /* a name that nobody has made sure of yet */
    expect_nothing(LAN_LLMNR, BYTES("\x12\x34\x81\0\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                    "\0\0\0\x1e\0\4" ADDRESS));
    /* a name of LLMNR's for mDNS */
    expect_nothing(LAN_MDNS, BYTES("\x12\x34\x84\0\0\0\0\1\0\0\0\0\7home-pc\0\0\1\0\1"
                                   "\0\0\0\x1e\0\4" ADDRESS));
    /* a workgroup, a browser's name, letters beyond P */
    expect_nothing(LAN_NETBIOS, BYTES("\x12\x34\x85\0\0\0\0\1\0\0\0\0\x20" HOME_PC_20
                                      "\0\0\x20\0\1\0\3\xf4\x80\0\6\xe0\0" ADDRESS));
    expect_nothing(LAN_NETBIOS, BYTES("\x12\x34\x85\0\0\0\0\1\0\0\0\0\x20"
                                      "EIEPENEFCNFAEDCACACACACACACACABO"
                                      "\0\0\x20\0\1\0\3\xf4\x80\0\6\x60\0" ADDRESS));
    expect_nothing(LAN_NETBIOS, BYTES("\x12\x34\x85\0\0\0\0\1\0\0\0\0\x20"
                                      "EIEPENEFCNFAEDCACACACACACACACACQ"
                                      "\0\0\x20\0\1\0\3\xf4\x80\0\6\x60\0" ADDRESS));
}

static void broken_names_end_the_reading(void **state)
{
    (void)state;
    /* a name that points at itself, one that points behind the end, one of two kinds of labels */
    expect_nothing(LAN_MDNS, BYTES("\x12\x34\x84\0\0\0\0\1\0\0\0\0\xc0\x0c\0\1\0\1"
                                   "\0\0\0\x0a\0\4" ADDRESS));
    expect_nothing(LAN_MDNS, BYTES("\x12\x34\x84\0\0\0\0\1\0\0\0\0\xff\xff\0\1\0\1"
                                   "\0\0\0\x0a\0\4" ADDRESS));
    expect_nothing(LAN_MDNS, BYTES("\x12\x34\x84\0\0\0\0\1\0\0\0\0\x47HOME-PC\5local\0\0\1\0\1"
                                   "\0\0\0\x0a\0\4" ADDRESS));
}

static void more_addresses_than_there_is_room_for_are_left_out(void **state)
{
    uint8_t bytes[2000];
    struct addr addrs[LAN_ADDRS_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct lan_question question = question_for(LAN_LLMNR, "home-pc");
    (void)state;
    write_bytes(&w, "\x12\x34\x80\0\0\0\0\x20\0\0\0\0", 12);
    for (unsigned i = 0; i < 32; i++) {
        dns_write_name(&w, "home-pc");
        write_bytes(&w, "\0\1\0\1\0\0\0\x1e\0\4" ADDRESS, 14);
    }
    assert_false(w.failed);
    assert_int_equal(lan_question_read(&question, bytes, sizeof bytes - w.left, addrs),
                     LAN_ADDRS_MAX);
}

static void odd_characters_of_a_label_do_not_make_it_another_name(void **state)
{
    static const char BYTES_OF_ONE[] = "\x12\x34\x80\0\0\0\0\1\0\0\0\0\4a.\nb\0\0\1\0\1"
                                       "\0\0\0\x1e\0\4" ADDRESS;
    struct dns_message message;
    struct dns_record record;
    (void)state;
    assert_int_equal(dns_message_open(BYTES_OF_ONE, sizeof BYTES_OF_ONE - 1, &message), 0);
    assert_true(dns_message_next(&message, &record));
    assert_string_equal(record.name, "a??b");
    assert_false(dns_message_next(&message, &record));
}

#define HEAD(an)      "\x12\x34\x84\0\0\0\0" an "\0\0\0\0"
#define ALIAS(of, is) of "\0\5\0\1\0\0\0\x0a\0\x0b" is
#define A_RECORD(of)  of "\0\1\x80\1\0\0\0\x0a\0\4" ADDRESS
#define HOME          "\7home-pc\5local\0"
#define BOX_1         "\3bo1\5local\0"
#define BOX_2         "\3bo2\5local\0"
#define BOX_3         "\3bo3\5local\0"

/* The address has to be in the same message, behind the alias or before it. */
static void an_alias_is_followed(void **state)
{
    (void)state;
    expect_address(LAN_MDNS, BYTES(HEAD("\2") ALIAS(HOME, BOX_1) A_RECORD(BOX_1)));
    expect_address(LAN_MDNS,
                   BYTES(HEAD("\3") ALIAS(BOX_1, BOX_2) ALIAS(HOME, BOX_1) A_RECORD(BOX_2)));
    expect_nothing(LAN_MDNS, BYTES(HEAD("\4") ALIAS(HOME, BOX_1) ALIAS(BOX_1, BOX_2)
                                       ALIAS(BOX_2, BOX_3) A_RECORD(BOX_3)));
    expect_nothing(LAN_MDNS,
                   BYTES(HEAD("\3") ALIAS(HOME, BOX_1) ALIAS(BOX_1, BOX_1) A_RECORD(BOX_2)));
    expect_nothing(LAN_MDNS, BYTES(HEAD("\2") ALIAS(BOX_1, BOX_2) A_RECORD(BOX_2)));
    struct addr addrs[LAN_ADDRS_MAX]; /* of whoever has the name itself, it is that */
    static const char BOTH[] = HEAD("\3") ALIAS(HOME, BOX_1) A_RECORD(HOME) A_RECORD(BOX_1);
    assert_int_equal(read_answer(LAN_MDNS, BYTES(BOTH), addrs), 1);
}

/* Names cost time, and one record is as short as a pointer to a long one. */
static void of_a_crowd_of_records_the_first_are_read(void **state)
{
    static const char EMPTY[] = BOX_1 "\0\1\0\1\0\0\0\x0a\0";
    static const char ANSWER[] = A_RECORD(HOME);
    char bytes[12 + 200 * sizeof EMPTY + sizeof ANSWER] = HEAD("\xff");
    (void)state;
    for (unsigned before = 127; before <= 128; before++) {
        struct addr addrs[LAN_ADDRS_MAX];
        size_t len = 12;
        for (unsigned i = 0; i < before; i++, len += sizeof EMPTY) { /* with its NUL */
            memcpy(bytes + len, EMPTY, sizeof EMPTY);
        }
        memcpy(bytes + len, ANSWER, sizeof ANSWER - 1);
        len += sizeof ANSWER - 1;
        assert_int_equal(read_answer(LAN_MDNS, bytes, len, addrs), before == 127);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_those_of_the_protocols),
        cmocka_unit_test(a_name_that_a_protocol_cannot_have_is_not_asked_for),
        cmocka_unit_test(answers_of_each_protocol_are_read),
        cmocka_unit_test(what_is_no_answer_to_the_question_gives_nothing),
        cmocka_unit_test(broken_names_end_the_reading),
        cmocka_unit_test(more_addresses_than_there_is_room_for_are_left_out),
        cmocka_unit_test(odd_characters_of_a_label_do_not_make_it_another_name),
        cmocka_unit_test(an_alias_is_followed),
        cmocka_unit_test(of_a_crowd_of_records_the_first_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
