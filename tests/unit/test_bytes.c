/* Cursors over byte strings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static void integers_are_big_endian_in_both_directions(void **state)
{
    static const uint8_t WIRE[] = {0x01, 0x02, 0x03, 0xff, 0xfe, 0xfd, 0xfc, 0x80,
                                   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01};
    uint8_t written[sizeof WIRE];
    (void)state;
    struct reader r = reader_over(WIRE, sizeof WIRE);
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0xfffefdfc);
    assert_true(read_u64(&r) == 0x8000000000000001);
    assert_true(reader_is_done(&r));

    struct writer w = writer_over(written, sizeof written);
    write_u8(&w, 0x01);
    write_u16(&w, 0x0203);
    write_u32(&w, 0xfffefdfc);
    write_u64(&w, 0x8000000000000001);
    assert_false(w.failed);
    assert_int_equal(w.left, 0);
    assert_memory_equal(written, WIRE, sizeof WIRE);
}

static void reading_past_the_end_fails_for_good_and_yields_zeros(void **state)
{
    static const uint8_t WIRE[] = {1, 2, 3};
    uint8_t copy[4] = {9, 9, 9, 9};
    (void)state;
    struct reader r = reader_over(WIRE, sizeof WIRE);
    assert_int_equal(read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(read_u8(&r), 0); /* although three bytes are left */
    assert_null(read_bytes(&r, 1));
    read_copy(&r, copy, sizeof copy);
    assert_memory_equal(copy, "\0\0\0\0", 4);
    assert_false(reader_is_done(&r));
}

static void bytes_left_over_are_not_done(void **state)
{
    (void)state;
    struct reader r = reader_over("ab", 2);
    assert_false(reader_is_done(&r));
    read_u8(&r);
    assert_false(reader_is_done(&r));
    read_u8(&r);
    assert_true(reader_is_done(&r));
    assert_non_null(read_bytes(&r, 0));
    assert_true(reader_is_done(&r));
}

static void a_length_near_the_end_of_memory_does_not_wrap(void **state)
{
    (void)state;
    struct reader r = reader_over("ab", 2);
    assert_null(read_bytes(&r, SIZE_MAX));
    assert_true(r.failed);
    char room[2];
    struct writer w = writer_over(room, sizeof room);
    write_bytes(&w, "ab", SIZE_MAX);
    assert_true(w.failed);
}

static bool reads_as_string(const char *bytes, size_t len, char *dst, size_t cap)
{
    uint8_t wire[64] = {(uint8_t)(len >> 8), (uint8_t)len};
    memcpy(wire + 2, bytes, len);
    struct reader r = reader_over(wire, len + 2);
    read_string(&r, dst, cap);
    return reader_is_done(&r);
}

static void a_string_fits_with_its_nul_or_is_refused(void **state)
{
    char dst[5] = "xxxx";
    (void)state;
    assert_true(reads_as_string("abcd", 4, dst, sizeof dst));
    assert_string_equal(dst, "abcd");
    assert_false(reads_as_string("abcde", 5, dst, sizeof dst));
    assert_string_equal(dst, "");
    assert_true(reads_as_string("", 0, dst, sizeof dst));
    assert_string_equal(dst, "");
}

static void a_string_shorter_than_it_says_is_refused(void **state)
{
    char dst[16] = "before";
    (void)state;
    struct reader r = reader_over("\0\5abcd", 6);
    read_string(&r, dst, sizeof dst);
    assert_true(r.failed);
    assert_string_equal(dst, "");
    r = reader_over("\0", 1);
    read_string(&r, dst, sizeof dst);
    assert_true(r.failed);
}

#define TEXT(literal)               \
    {                               \
        literal, sizeof literal - 1 \
    }

static void a_string_is_utf_8_that_can_be_seen(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } GOOD[] = {TEXT("plain"),
                TEXT("\xc2\xa0\xdf\xbf"),
                TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
                TEXT("\u200a\u2027\u202f\u205f\u2070"),
                TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
                TEXT("K\xc3\xbc"
                     "che \xf0\x9f\x98\x80")},
      BAD[] = {TEXT("a\0b"),
               TEXT("a\nb"),
               TEXT("\x1b[2J"),
               TEXT("\x7f"),
               TEXT("\xc2\x9b"
                    "2J"),
               TEXT("\0"),
               TEXT("a\u202e"),
               TEXT("\u200b"),
               TEXT("\u2028"),
               TEXT("\u2066"),
               TEXT("\u00ad"),
               TEXT("\ufeff"),
               TEXT("\U000e0041"),
               TEXT("\x80"),
               TEXT("\xbf!"),
               TEXT("\xc3"),
               TEXT("\xc3("),
               TEXT("\xc0\x80"),
               TEXT("\xc1\xbf"),
               TEXT("\xe2\x82"),
               TEXT("\xe0\x9f\xbf"),
               TEXT("\xe2\x28\xa1"),
               TEXT("\xe2\x82\x28"),
               TEXT("\xed\xa0\x80"),
               TEXT("\xf0\x8f\xbf\xbf"),
               TEXT("\xf0\x9f\x98"),
               TEXT("\xf0\x9f\x98z"),
               TEXT("\xf4\x90\x80\x80"),
               TEXT("\xf5\x80\x80\x80"),
               TEXT("\xfe"),
               TEXT("ok \xff")};
    char dst[32];
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_true(reads_as_string(GOOD[i].bytes, GOOD[i].len, dst, sizeof dst));
        assert_string_equal(dst, GOOD[i].bytes);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (reads_as_string(BAD[i].bytes, BAD[i].len, dst, sizeof dst)) {
            fail_msg("row %zu was taken", i);
        }
        assert_string_equal(dst, "");
    }
}

static void a_writer_stops_at_its_end_and_stays_failed(void **state)
{
    uint8_t room[6] = {0, 0, 0, 0, 0, 0xaa};
    (void)state;
    struct writer w = writer_over(room, 5);
    write_u32(&w, 0x01020304);
    write_u16(&w, 0xffff);
    assert_true(w.failed);
    write_u8(&w, 0xff); /* would fit */
    assert_memory_equal(room, "\1\2\3\4\0\xaa", 6);
}

static void a_written_string_reads_back(void **state)
{
    uint8_t room[64];
    char dst[16];
    (void)state;
    struct writer w = writer_over(room, sizeof room);
    write_string(&w, "HOME-PC");
    write_string(&w, "");
    assert_int_equal(sizeof room - w.left, 2 + 7 + 2);
    struct reader r = reader_over(room, sizeof room - w.left);
    read_string(&r, dst, sizeof dst);
    assert_string_equal(dst, "HOME-PC");
    read_string(&r, dst, sizeof dst);
    assert_string_equal(dst, "");
    assert_true(reader_is_done(&r));
}

static void a_string_above_16_bits_is_not_written(void **state)
{
    enum { LONG = UINT16_MAX + 1 };
    char *text = calloc(1, LONG + 1), *room = malloc(LONG + 2);
    (void)state;
    memset(text, 'a', LONG);
    struct writer w = writer_over(room, LONG + 2);
    write_string(&w, text);
    assert_true(w.failed);
    text[LONG - 1] = '\0';
    w = writer_over(room, LONG + 2);
    write_string(&w, text);
    assert_false(w.failed);
    assert_int_equal(w.left, 1);
    free(text);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian_in_both_directions),
        cmocka_unit_test(reading_past_the_end_fails_for_good_and_yields_zeros),
        cmocka_unit_test(bytes_left_over_are_not_done),
        cmocka_unit_test(a_length_near_the_end_of_memory_does_not_wrap),
        cmocka_unit_test(a_string_fits_with_its_nul_or_is_refused),
        cmocka_unit_test(a_string_shorter_than_it_says_is_refused),
        cmocka_unit_test(a_string_is_utf_8_that_can_be_seen),
        cmocka_unit_test(a_writer_stops_at_its_end_and_stays_failed),
        cmocka_unit_test(a_written_string_reads_back),
        cmocka_unit_test(a_string_above_16_bits_is_not_written),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
