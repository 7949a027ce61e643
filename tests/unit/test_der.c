/* DER, written back to front: heads of each length, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/der.h"

static void a_head_is_as_short_as_it_can_be(void **state)
{
    static const struct {
        size_t len, head_len;
        uint8_t head[5];
    } CASES[] = {
        {0, 2, {0x30, 0}},
        {127, 2, {0x30, 127}},
        {128, 3, {0x30, 0x81, 128}},
        {255, 3, {0x30, 0x81, 255}},
        {256, 4, {0x30, 0x82, 1, 0}},
        {65535, 4, {0x30, 0x82, 255, 255}},
        {65536, 5, {0x30, 0x83, 1, 0, 0}},
    };
    static uint8_t buffer[65600], content[65536];
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct der der = der_over(buffer, sizeof buffer);
        const uint8_t *end = der_here(&der);
        der_put(&der, content, CASES[i].len);
        der_head(&der, DER_SEQUENCE, end);
        assert_int_equal(der_len(&der), CASES[i].len + CASES[i].head_len);
        assert_memory_equal(der.at, CASES[i].head, CASES[i].head_len);
    }
}

static void what_is_written_later_stands_in_front(void **state)
{
    uint8_t buffer[16];
    struct der der = der_over(buffer, sizeof buffer);
    (void)state;
    const uint8_t *all = der_here(&der);
    der_put(&der, "b", 1);
    der_head(&der, DER_OCTETS, all);
    const uint8_t *second = der_here(&der);
    der_put(&der, "\x05", 1);
    der_head(&der, DER_INTEGER, second);
    der_head(&der, DER_SEQUENCE, all);
    assert_int_equal(der_len(&der), 8);
    assert_memory_equal(der.at,
                        "\x30\x06\x02\x01\x05\x04\x01"
                        "b",
                        8);
}

static void what_does_not_fit_is_nothing(void **state)
{
    uint8_t buffer[4] = {0};
    (void)state;
    struct der der = der_over(buffer, 3);
    der_put(&der, "abc", 3);
    assert_int_equal(der_len(&der), 3);
    der_put(&der, "d", 1);
    assert_int_equal(der_len(&der), 0);
    der = der_over(buffer, 3);
    const uint8_t *end = der_here(&der);
    der_put(&der, "ab", 2);
    der_head(&der, DER_SET, end);
    der_put(&der, "", 0);
    assert_true(der.full);
    assert_int_equal(der_len(&der), 0);
    assert_int_equal(buffer[3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_as_short_as_it_can_be),
        cmocka_unit_test(what_is_written_later_stands_in_front),
        cmocka_unit_test(what_does_not_fit_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
