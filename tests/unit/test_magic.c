/* The packet that wakes a machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/magic.h"

static void test_the_packet(void **state)
{
    static const uint8_t MAC[MAC_SIZE] = {2, 0x11, 0x22, 0x33, 0x44, 0x55};
    uint8_t packet[MAGIC_SIZE + 1];
    (void)state;
    packet[MAGIC_SIZE] = 0x77;
    magic_write(MAC, packet);
    assert_int_equal(MAGIC_SIZE, 102);
    assert_memory_equal(packet, "\xff\xff\xff\xff\xff\xff", 6);
    for (unsigned i = 0; i < 16; i++) {
        assert_memory_equal(packet + 6 + 6 * i, MAC, MAC_SIZE);
    }
    assert_int_equal(packet[MAGIC_SIZE], 0x77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_packet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
