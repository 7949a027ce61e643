/* Who says that they are in the LAN: what is asked, byte by byte, and what is an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/names/lan_listing.h"

#define EVERYBODY   "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define BYTES(text) text, sizeof(text) - 1
#define HEAD(an)    "\x12\x34\x84\0\0\0\0" an "\0\0\0\0"
#define ADDRESS     "\xc0\xa8\x01\x16"

static void questions_are_those_of_the_protocols(void **state)
{
    static const char SERVICE[] =
        "\x12\x34\0\0\0\1\0\0\0\0\0\0\x0c_workstation\4_tcp\5local\0\0\x0c\0\1";
    static const char ALL[] = "\x12\x34\1\x10\0\1\0\0\0\0\0\0\x20" EVERYBODY "\0\0\x20\0\1";
    static const char STATUS[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\x20" EVERYBODY "\0\0\x21\0\1";
    uint8_t bytes[LAN_QUESTION_MAX];
    (void)state;
    assert_int_equal(lan_listing_write_service(0, 0x1234, bytes), sizeof SERVICE - 1);
    assert_memory_equal(bytes, SERVICE, sizeof SERVICE - 1);
    assert_int_equal(lan_listing_write_everybody(0x1234, bytes), sizeof ALL - 1);
    assert_memory_equal(bytes, ALL, sizeof ALL - 1);
    assert_int_equal(lan_listing_write_status(0x1234, bytes), sizeof STATUS - 1);
    assert_memory_equal(bytes, STATUS, sizeof STATUS - 1);
}

static void a_service_gives_its_machine_and_the_address_beside_it(void **state)
{
    static const char ANSWER[] = HEAD(
        "\3") "\4_ssh\4_tcp\5local\0\0\x0c\0\1\0\0\0\x0a\0\7\4Bob'\xc0\x0c"
              "\xc0\x27\0\x21\x80\1\0\0\0\x0a\0\x10\0\0\0\0\0\x16"
              "\7home-pc\xc0\x16"
              "\7home-pc\xc0\x16\0\1\x80\1\0\0\0\x0a\0\4" ADDRESS;
    struct lan_listed listed[LAN_LISTED_MAX];
    char text[ADDR_HOST_MAX];
    (void)state;
    assert_int_equal(lan_listing_read_services(BYTES(ANSWER), 0x1234, listed), 1);
    assert_string_equal(listed[0].name, "home-pc");
    assert_true(listed[0].has_addr);
    assert_string_equal(addr_host_text(&listed[0].addr, text), "192.168.1.22");
    assert_int_equal(lan_listing_read_services(BYTES(ANSWER), 0x1235, listed), 0);
    /* without the address, its name is still worth a question */
    assert_int_equal(lan_listing_read_services(ANSWER, sizeof ANSWER - 5, 0x1234, listed), 1);
    assert_false(listed[0].has_addr);
}

static void names_that_could_not_be_a_targets_are_left_out(void **state)
{
    static const char OTHER[] = HEAD("\1") "\7home-pc\7example\0\0\1\0\1\0\0\0\x0a\0\4" ADDRESS;
    static const char DEEP[] = HEAD("\1") "\1a\1b\5local\0\0\1\0\1\0\0\0\x0a\0\4" ADDRESS;
    static const char ODD[] = HEAD("\1") "\5a b;c\5local\0\0\1\0\1\0\0\0\x0a\0\4" ADDRESS;
    struct lan_listed listed[LAN_LISTED_MAX];
    (void)state;
    assert_int_equal(lan_listing_read_services(BYTES(OTHER), 0x1234, listed), 0);
    assert_int_equal(lan_listing_read_services(BYTES(DEEP), 0x1234, listed), 0);
    assert_int_equal(lan_listing_read_services(BYTES(ODD), 0x1234, listed), 0);
}

#define REVERSED \
    "\1"         \
    "1\3"        \
    "168\3"      \
    "192\7in-addr\4arpa\0"

static void the_owners_of_addresses_are_asked_for_in_one_question(void **state)
{
    static const char TWO[] = "\x12\x34\0\0\0\2\0\0\0\0\0\0\3"
                              "127" REVERSED "\0\x0c\0\1"
                              "\3"
                              "128\xc0\x10\0\x0c\0\1";
    uint8_t bytes[LAN_QUESTION_MAX];
    (void)state;
    assert_int_equal(lan_listing_write_owners(0xc0a8017f, 2, 0x1234, bytes), sizeof TWO - 1);
    assert_memory_equal(bytes, TWO, sizeof TWO - 1);
    assert_true(lan_listing_write_owners(0xffffffeb, LAN_OWNERS_MAX, 0x1234, bytes) > 0);
}

static void an_owner_has_the_address_that_was_asked_for(void **state)
{
    static const char ANSWER[] = HEAD("\1") "\2"
                                            "22" REVERSED
                                            "\0\x0c\0\1\0\0\0\x0a\0\xf\7home-pc\5local\0";
    static const char BIG[] = HEAD("\1") "\3"
                                         "300" REVERSED
                                         "\0\x0c\0\1\0\0\0\x0a\0\xf\7home-pc\5local\0";
    static const char OTHER[] = HEAD("\1") "\1"
                                           "1" REVERSED
                                           "\0\x0c\0\1\0\0\0\x0a\0\x12\7home-pc\7example\0\0";
    struct lan_listed listed[LAN_LISTED_MAX];
    char text[ADDR_HOST_MAX];
    (void)state;
    assert_int_equal(lan_listing_read_services(BYTES(ANSWER), 0x1234, listed), 1);
    assert_string_equal(listed[0].name, "home-pc");
    assert_true(listed[0].has_addr);
    assert_string_equal(addr_host_text(&listed[0].addr, text), "192.168.1.22");
    assert_int_equal(lan_listing_read_services(BYTES(BIG), 0x1234, listed), 0);
    assert_int_equal(lan_listing_read_services(BYTES(OTHER), 0x1234, listed), 0);
    for (size_t cut = 0; cut < sizeof ANSWER - 1; cut++) {
        assert_int_equal(lan_listing_read_services(ANSWER, cut, 0x1234, listed), 0);
    }
}

#define STATUS_HEAD                "\x12\x34\x84\0\0\0\0\1\0\0\0\0\x20" EVERYBODY "\0\0\x21\0\1\0\0\0\0\0"
#define ENTRY(name, suffix, flags) name suffix flags

static void a_machine_has_its_own_name_and_not_its_groups(void **state)
{
    static const char ANSWER[] = STATUS_HEAD "\x49\4" ENTRY("WORKGROUP      ", "\0", "\x84\0")
        ENTRY("HOME-PC        ", "\3", "\4\0") ENTRY("HOME-PC        ", "\0", "\4\0")
            ENTRY("HOME-PC        ", "\x20", "\4\0");
    static const char ODD[] = STATUS_HEAD "\x13\1" ENTRY("..__MSBROWSE__.", "\0", "\4\0");
    char name[LAN_NAME_SIZE] = "untouched";
    (void)state;
    assert_true(lan_listing_read_status(BYTES(ANSWER), 0x1234, name));
    assert_string_equal(name, "HOME-PC");
    assert_false(lan_listing_read_status(BYTES(ANSWER), 0x1235, name));
    assert_false(lan_listing_read_status(BYTES(ODD), 0x1234, name));
    for (size_t cut = 0; cut < sizeof ANSWER - 1; cut++) {
        assert_false(lan_listing_read_status(ANSWER, cut, 0x1234, name));
    }
    assert_string_equal(name, "HOME-PC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_those_of_the_protocols),
        cmocka_unit_test(a_service_gives_its_machine_and_the_address_beside_it),
        cmocka_unit_test(the_owners_of_addresses_are_asked_for_in_one_question),
        cmocka_unit_test(an_owner_has_the_address_that_was_asked_for),
        cmocka_unit_test(names_that_could_not_be_a_targets_are_left_out),
        cmocka_unit_test(a_machine_has_its_own_name_and_not_its_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
