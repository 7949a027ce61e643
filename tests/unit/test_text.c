/* Strings in a buffer of the caller's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void what_fits_is_added_piece_by_piece(void **state)
{
    char buffer[16];
    (void)state;
    struct text text = text_over(buffer, sizeof buffer);
    assert_string_equal(buffer, "");
    text_add(&text, "%s:%d", "HOME-PC", 3389);
    text_add(&text, "%s", "");
    text_add(&text, "%s", "abc");
    assert_string_equal(buffer, "HOME-PC:3389abc"); /* 15 and the NUL */
    assert_int_equal(text.len, 15);
    assert_false(text.cut);
}

static void what_does_not_fit_is_cut_and_nothing_follows(void **state)
{
    char buffer[9] = "12345678";
    (void)state;
    struct text text = text_over(buffer, 6);
    text_add(&text, "abc");
    text_add(&text, "defgh");
    assert_string_equal(buffer, "abcde");
    assert_true(text.cut);
    assert_int_equal(text.len, 5);
    text_add(&text, "x"); /* a hole in the middle would change the meaning */
    text_add(&text, "%s", "");
    text_put(&text, "x", 1);
    assert_string_equal(buffer, "abcde");
    assert_memory_equal(buffer + 6, "78", 2);
}

static void it_is_cut_between_two_characters(void **state)
{
    static const struct {
        const char *add, *left;
        size_t cap;
    } ROWS[] = {
        {"ab\xc3\xbc", "ab", 4}, /* half an u-umlaut */
        {"ab\xc3\xbc"
         "c",
         "ab\xc3\xbc", 5},
        {"\xe2\x82\xac\xe2\x82\xac", "\xe2\x82\xac", 5},
        {"\xe2\x82\xac\xe2\x82\xac", "\xe2\x82\xac", 6},
        {"a\xf0\x9f\x98\x80", "a", 3},
        {"a\xf0\x9f\x98\x80", "a", 4},
        {"a\xf0\x9f\x98\x80", "a", 5},
        {"a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80", 6},
        {"\xf0\x9f\x98\x80", "", 4},
        {"abc", "", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char buffer[8];
        struct text text = text_over(buffer, ROWS[i].cap);
        text_add(&text, "%s", ROWS[i].add);
        assert_string_equal(buffer, ROWS[i].left);
        assert_int_equal(text.len, strlen(buffer));
        assert_int_equal(text.cut, strcmp(ROWS[i].add, ROWS[i].left) != 0);
        text = text_over(buffer, ROWS[i].cap);
        text_put(&text, ROWS[i].add, strlen(ROWS[i].add));
        text_put(&text, "", 0);
        assert_string_equal(buffer, ROWS[i].left);
        assert_int_equal(text.len, strlen(buffer));
        assert_int_equal(text.cut, strcmp(ROWS[i].add, ROWS[i].left) != 0);
    }
}

static void what_nobody_sees_is_made_visible(void **state)
{
    static const struct {
        const char *line, *shown;
    } ROWS[] = {
        {"a\nb\r\x1b[2J\x7f\xc2\x9b\xc2\xa0\xc3\xb6\t.", "a?b??[2J??\xc2\xa0\xc3\xb6?."},
        {"\u202egpj.exe", "?gpj.exe"}, /* reads exe.jpg */
        {"\u2066a\u2069", "?a?"},
        {"pay\u200bpal\u200d\u200f", "pay?pal??"},
        {"a\u2028b\u2029c", "a?b?c"},
        {"\ufeff\u00ad\u061c\u2060", "????"},
        {"\U000e0041\U000e007f", "??"}, /* tags: a text within the text */
        {"\x9b[2J\xff\xc3", "?[2J??"},  /* no UTF-8 */
        {"שלום \U0001f600 日本", "שלום \U0001f600 日本"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char line[100];
        snprintf(line, sizeof line, "%s", ROWS[i].line);
        text_make_visible(line);
        assert_string_equal(line, ROWS[i].shown);
    }
}

static void quoted_words_hold_no_quotes(void **state)
{
    char words[] = "it is “open”.\u202e \"x\" ‘y’";
    (void)state;
    text_quote(words);
    assert_string_equal(words, "it is \"open\".? \"x\" ‘y’");
}

static void bytes_are_told_in_units_a_person_reads(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } ROWS[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {9949, "9.9 kB"},
        {9950, "10 kB"},
        {999499, "999 kB"},
        {999500, "1.0 MB"},
        {1400000, "1.4 MB"},
        {104857600, "105 MB"},
        {UINT64_MAX, "18 EB"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char buffer[32];
        struct text text = text_over(buffer, sizeof buffer);
        text_add_bytes(&text, ROWS[i].bytes);
        assert_string_equal(buffer, ROWS[i].text);
    }
}

static void spans_of_time_are_told_as_a_person_says_them(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } ROWS[] = {
        {0, "0 s"},          {59, "59 s"},          {60, "1 min"},
        {200, "3 min 20 s"}, {3599, "59 min 59 s"}, {3600, "1 h"},
        {3659, "1 h"},       {7500, "2 h 5 min"},   {86399, "23 h 59 min"},
        {86400, "1 d"},      {90000, "1 d 1 h"},    {UINT64_MAX, "213503982334601 d 7 h"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char buffer[48];
        struct text text = text_over(buffer, sizeof buffer);
        text_add_seconds(&text, ROWS[i].seconds);
        assert_string_equal(buffer, ROWS[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_added_piece_by_piece),
        cmocka_unit_test(what_does_not_fit_is_cut_and_nothing_follows),
        cmocka_unit_test(it_is_cut_between_two_characters),
        cmocka_unit_test(what_nobody_sees_is_made_visible),
        cmocka_unit_test(quoted_words_hold_no_quotes),
        cmocka_unit_test(bytes_are_told_in_units_a_person_reads),
        cmocka_unit_test(spans_of_time_are_told_as_a_person_says_them),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
