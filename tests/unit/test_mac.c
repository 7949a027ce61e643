/* MAC addresses as texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mac.h"

static void test_what_is_read(void **state)
{
    (void)state;
    static const char *const RIGHT[] = {"00:11:22:aa:bb:cc", "00:11:22:AA:BB:CC",
                                        "00-11-22-aa-bb-cc"};
    static const char *const WRONG[] = {"",
                                        "0",
                                        "00",
                                        "00:",
                                        "00:11:22:aa:bb",
                                        "00:11:22:aa:bb:",
                                        "00:11:22:aa:bb:c",
                                        "00:11:22:aa:bb:ccc",
                                        "00:11:22:aa:bb:cc:dd",
                                        "001122aabbcc",
                                        "0:11:22:aa:bb:cc",
                                        "00:11:22:aa:bb:cg",
                                        " 00:11:22:aa:bb:cc"};
    uint8_t mac[MAC_SIZE];
    char text[MAC_TEXT_SIZE];
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        assert_int_equal(mac_parse(RIGHT[i], mac), 0);
        assert_string_equal(mac_text(mac, text), "00:11:22:aa:bb:cc");
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        assert_int_equal(mac_parse(WRONG[i], mac), -EINVAL);
    }
}

static void test_whose_it_is(void **state)
{
    (void)state;
    assert_true(mac_is_one((const uint8_t[]){2, 0, 0, 0, 0, 1}));
    assert_false(mac_is_one((const uint8_t[]){0, 0, 0, 0, 0, 0}));
    assert_false(mac_is_one((const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
    assert_false(mac_is_one((const uint8_t[]){1, 0, 0x5e, 0, 0, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_whose_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
