/* Random numbers, MACs, hex, and the waits of backoff that are drawn from them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/crypto.h"

static void random_bytes_fill_all_and_only_their_place(void **state)
{
    uint8_t seen[34] = {0};
    (void)state;
    /* Each byte is zero in one of 256 draws: sixteen times in a row is no chance. */
    for (int round = 0; round < 16; round++) {
        uint8_t drawn[34] = {0};
        assert_int_equal(crypto_random(drawn + 1, 32), 0);
        assert_int_equal(drawn[0] | drawn[33], 0);
        for (size_t i = 0; i < sizeof seen; i++) {
            seen[i] |= drawn[i];
        }
    }
    for (size_t i = 1; i <= 32; i++) {
        assert_int_not_equal(seen[i], 0);
    }
    assert_int_equal(crypto_random(seen, 0), 0);
}

static void a_number_below_a_bound_takes_every_value(void **state)
{
    static const uint32_t BOUNDS[] = {1, 2, 3, 10, 256};
    (void)state;
    for (size_t b = 0; b < sizeof BOUNDS / sizeof *BOUNDS; b++) {
        unsigned counts[256] = {0};
        for (int i = 0; i < 64 * 256; i++) {
            uint32_t value = UINT32_MAX;
            assert_int_equal(crypto_random_below(BOUNDS[b], &value), 0);
            assert_in_range(value, 0, BOUNDS[b] - 1);
            counts[value]++;
        }
        for (uint32_t i = 0; i < BOUNDS[b]; i++) {
            assert_in_range(counts[i], 1, 64 * 256);
        }
    }
    /* The widest bounds: half of the draws are thrown away, and none is out of range. */
    for (int i = 0; i < 1000; i++) {
        uint32_t value;
        assert_int_equal(crypto_random_below(0x80000001, &value), 0);
        assert_in_range(value, 0, 0x80000000);
        assert_int_equal(crypto_random_below(UINT32_MAX, &value), 0);
        assert_int_not_equal(value, UINT32_MAX);
    }
}

static void a_random_name_is_easy_to_read(void **state)
{
    char name[66], other[66];
    (void)state;
    memset(name, 'X', sizeof name);
    assert_int_equal(crypto_random_name(name, 64), 0);
    assert_int_equal(strlen(name), 64);
    assert_int_equal(name[65], 'X');
    assert_int_equal(strspn(name, "abcdefghijkmnpqrstuvwxyz23456789"), 64);
    assert_int_equal(crypto_random_name(other, 64), 0);
    assert_string_not_equal(name, other);
}

/* FIPS 180-4's examples. */
static void a_hash_is_sha_256_however_it_is_cut(void **state)
{
    static const struct crypto_piece PIECES[] = {{"a", 1}, {NULL, 0}, {"bc", 2}};
    uint8_t hash[CRYPTO_HASH_SIZE];
    char hex[2 * CRYPTO_HASH_SIZE + 1];
    (void)state;
    assert_int_equal(crypto_hash(PIECES, 3, hash), 0);
    crypto_hex(hash, sizeof hash, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(crypto_hash(NULL, 0, hash), 0);
    crypto_hex(hash, sizeof hash, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_mac_is_that_of_rfc_4231_however_it_is_cut(void **state)
{
    /* Test case 3 with its key padded by zeros to 32 bytes, which HMAC does anyway. */
    static const uint8_t WANTED[] = {0x77, 0x3e, 0xa9, 0x1e, 0x36, 0x80, 0x0e, 0x46,
                                     0x85, 0x4d, 0xb8, 0xeb, 0xd0, 0x91, 0x81, 0xa7,
                                     0x29, 0x59, 0x09, 0x8b, 0x3e, 0xf8, 0xc1, 0x22,
                                     0xd9, 0x63, 0x55, 0x14, 0xce, 0xd5, 0x65, 0xfe};
    uint8_t key[CRYPTO_KEY_SIZE] = {0}, data[50], mac[CRYPTO_MAC_SIZE];
    (void)state;
    memset(key, 0xaa, 20);
    memset(data, 0xdd, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        struct crypto_piece pieces[] = {{data, cut}, {data + cut, sizeof data - cut}};
        assert_int_equal(crypto_mac(key, pieces, 2, mac), 0);
        assert_memory_equal(mac, WANTED, sizeof mac);
    }
    struct crypto_piece other = {data, sizeof data - 1};
    assert_int_equal(crypto_mac(key, &other, 1, mac), 0);
    assert_memory_not_equal(mac, WANTED, sizeof mac);
}

static void equal_means_every_bit(void **state)
{
    uint8_t a[32], b[32];
    (void)state;
    memset(a, 0x5a, sizeof a);
    memcpy(b, a, sizeof b);
    assert_true(crypto_equal(a, b, sizeof a));
    for (size_t bit = 0; bit < 8 * sizeof b; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(crypto_equal(a, b, sizeof a));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(crypto_equal(a, b, 0));
    crypto_wipe(a, 31);
    assert_int_equal(a[30], 0);
    assert_int_equal(a[31], 0x5a);
}

static void hex_is_read_back_in_either_case(void **state)
{
    uint8_t all[256], back[256];
    char text[513];
    (void)state;
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    crypto_hex(all, sizeof all, text);
    assert_int_equal(strlen(text), 512);
    assert_int_equal(strspn(text, "0123456789abcdef"), 512);
    assert_memory_equal(text + 2 * 0x9f, "9fa0", 4);
    assert_int_equal(crypto_unhex(text, back, sizeof back), 0);
    assert_memory_equal(all, back, sizeof all);
    assert_int_equal(crypto_unhex("DeadBEEF", back, 4), 0);
    assert_memory_equal(back, "\xde\xad\xbe\xef", 4);
}

static void what_is_not_exactly_hex_is_refused(void **state)
{
    static const char *const ROWS[] = {"",     "0",    "000",  "00000",     "00 0",
                                       "0x00", "000g", "00/0", "00:0",      "00@0",
                                       "00`0", "00G0", "-100", "\260\26000"};
    uint8_t bytes[2];
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (crypto_unhex(ROWS[i], bytes, 2) != -EINVAL) {
            fail_msg("\"%s\" is taken", ROWS[i]);
        }
    }
    assert_int_equal(crypto_unhex("00ff", bytes, 2), 0);
}

static void waits_double_up_to_the_most_with_jitter_taken_off(void **state)
{
    static const uint32_t FULL[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    bool jitter = false;
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct backoff backoff = {.first_ms = 1000, .max_ms = 60000};
        for (size_t i = 0; i < sizeof FULL / sizeof *FULL; i++) {
            uint32_t wait = backoff_next(&backoff);
            assert_in_range(wait, FULL[i] - FULL[i] / 4, FULL[i]);
            jitter |= wait != FULL[i];
        }
        backoff_reset(&backoff);
        assert_in_range(backoff_next(&backoff), 750, 1000);
    }
    assert_true(jitter);
}

static void waits_stay_in_bounds_for_ever(void **state)
{
    struct backoff edge = {.first_ms = 0x80000001, .max_ms = UINT32_MAX};
    struct backoff small = {.first_ms = 3, .max_ms = 3, .failures = 4000000000};
    (void)state;
    assert_in_range(backoff_next(&edge), 0x60000000, 0x80000001);
    assert_in_range(backoff_next(&edge), 0xbfffffff, UINT32_MAX);
    assert_in_range(backoff_next(&small), 3, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes_fill_all_and_only_their_place),
        cmocka_unit_test(a_number_below_a_bound_takes_every_value),
        cmocka_unit_test(a_random_name_is_easy_to_read),
        cmocka_unit_test(a_hash_is_sha_256_however_it_is_cut),
        cmocka_unit_test(a_mac_is_that_of_rfc_4231_however_it_is_cut),
        cmocka_unit_test(equal_means_every_bit),
        cmocka_unit_test(hex_is_read_back_in_either_case),
        cmocka_unit_test(what_is_not_exactly_hex_is_refused),
        cmocka_unit_test(waits_double_up_to_the_most_with_jitter_taken_off),
        cmocka_unit_test(waits_stay_in_bounds_for_ever),
    };
    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
