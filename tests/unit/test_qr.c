/* QR codes on the terminal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/qr.h"

static char *drawn(const char *text, enum qr_form form)
{
    char *lines;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    assert_non_null(out);
    assert_int_equal(qr_draw(text, form, out), 0);
    fclose(out);
    return lines;
}

/* zbarimg, and a phone, read it. */
static const char LINK[] = "https://t.me/x?start=k3f9";
static const char BLOCKS[] = "█████████████████████████████\n"
                             "██ ▄▄▄▄▄ █▀▄█▀ █▄ ▀█ ▄▄▄▄▄ ██\n"
                             "██ █   █ █▄   ▄█ ▀▀█ █   █ ██\n"
                             "██ █▄▄▄█ █ ▀█▀█▄▀  █ █▄▄▄█ ██\n"
                             "██▄▄▄▄▄▄▄█ ▀▄█ █▄█ █▄▄▄▄▄▄▄██\n"
                             "██ ▄█ █▀▄ ██ ▀█  █▀▀  ▄█▄▄▀██\n"
                             "██▀██▀▄▄▄▄▀▄▄██ ▀█ ▄▀▄ ██▄▄██\n"
                             "███ █ ██▄█▄█▀▀   ▄▀   █ ▀▄ ██\n"
                             "██▄▀▄▀▄▄▄ ▀ ██ ▀ ▀▄██▄ █▄▀▄██\n"
                             "██▄▄████▄▄▀▄ ▄▄█▀▄ ▄▄▄  ▄█▀██\n"
                             "██ ▄▄▄▄▄ █▄▀▄▀█▄ ▄ █▄█  ▀▄▄██\n"
                             "██ █   █ █▀█▀██ ▀█ ▄▄   ▀▄███\n"
                             "██ █▄▄▄█ █▀  ▀ ▀▄  ▀█▄▄▀▄█▄██\n"
                             "██▄▄▄▄▄▄▄█▄███▄▄██▄▄▄▄███▄▄██\n"
                             "▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀\n";

static void half_blocks_are_light_on_dark_with_a_quiet_zone(void **state)
{
    char *lines = drawn(LINK, QR_BLOCKS);
    (void)state;
    assert_string_equal(lines, BLOCKS);
    free(lines);
}

/* Without what begins with ESC and ends with m. */
static void strip(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (*from == '\033') {
            from = strchr(from, 'm') + 1;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

static void colours_are_set_on_each_line_and_set_back(void **state)
{
    char *lines = drawn(LINK, QR_COLOURED);
    (void)state;
    unsigned count = 0;
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "\033[97;40m", 8);
        assert_memory_equal(strchr(line, '\n') - 4, "\033[0m", 4);
        count++;
    }
    assert_int_equal(count, 15);
    strip(lines);
    assert_string_equal(lines, BLOCKS);
    free(lines);
}

/* The upper and the lower half of the character in that column of BLOCKS. */
static bool is_light(unsigned x, unsigned y)
{
    const char *at = BLOCKS;
    for (unsigned line = 0; line < y / 2; line++) {
        at = strchr(at, '\n') + 1;
    }
    for (; x > 0; x--) {
        at += *at == ' ' ? 1 : 3;
    }
    bool full = strncmp(at, "█", 3) == 0;
    return full || strncmp(at, y % 2 ? "▄" : "▀", 3) == 0;
}

static void where_there_is_no_utf8_blanks_are_coloured(void **state)
{
    char *lines = drawn(LINK, QR_SPACES);
    const char *at = lines;
    (void)state;
    for (unsigned y = 0; y < 29; y++) {
        for (unsigned x = 0; x < 29; x++) {
            const char *wanted = is_light(x, y) ? "\033[107m  " : "\033[40m  ";
            assert_memory_equal(at, wanted, strlen(wanted));
            at += strlen(wanted);
        }
        assert_memory_equal(at, "\033[0m\n", 5);
        at += 5;
    }
    assert_string_equal(at, "");
    free(lines);
}

static void a_text_may_be_too_long(void **state)
{
    char text[3000];
    (void)state;
    memset(text, 'a', sizeof text);
    text[2999] = '\0';
    assert_int_equal(qr_draw(text, QR_BLOCKS, stdout), -E2BIG);
    assert_int_equal(qr_draw("", QR_BLOCKS, stdout), -E2BIG);
}

static void only_terminals_get_colours(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    FILE *pipe_end = fdopen(ends[1], "w");
    setenv("LC_ALL", "C", 1);
    assert_int_equal(qr_form_for(pipe_end), QR_BLOCKS);
    fclose(pipe_end);
    close(ends[0]);
    FILE *terminal = fopen("/dev/ptmx", "w");
    if (terminal) {
        assert_int_equal(qr_form_for(terminal), QR_SPACES);
        unsetenv("LC_ALL");
        setenv("LC_CTYPE", "", 1);
        setenv("LANG", "de_DE.utf8", 1);
        assert_int_equal(qr_form_for(terminal), QR_COLOURED);
        fclose(terminal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_blocks_are_light_on_dark_with_a_quiet_zone),
        cmocka_unit_test(colours_are_set_on_each_line_and_set_back),
        cmocka_unit_test(where_there_is_no_utf8_blanks_are_coloured),
        cmocka_unit_test(a_text_may_be_too_long),
        cmocka_unit_test(only_terminals_get_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
