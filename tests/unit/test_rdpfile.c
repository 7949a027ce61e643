/* The .rdp file, byte by byte: every client has to read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/host.h"
#include "vps/session/rdpfile.h"

static const char SECRET[] = "abcdefghijkmnpqrstuvwxyz234";

static void the_file_has_exactly_these_bytes(void **state)
{
    static const char EXPECTED[] =
        "full address:s:vps.example.com:20123\r\n"
        "prompt for credentials:i:1\r\n"
        "authentication level:i:2\r\n"
        "enablecredsspsupport:i:1\r\n"
        "negotiate security layer:i:1\r\n"
        "gatewayusagemethod:i:0\r\n"
        "autoreconnection enabled:i:1\r\n"
        "networkautodetect:i:1\r\n"
        "bandwidthautodetect:i:1\r\n"
        "redirectclipboard:i:0\r\n"
        "redirectprinters:i:0\r\n"
        "redirectsmartcards:i:0\r\n"
        "redirectcomports:i:0\r\n"
        "redirectwebauthn:i:0\r\n"
        "audiocapturemode:i:0\r\n"
        "drivestoredirect:s:\r\n"
        "devicestoredirect:s:\r\n"
        "camerastoredirect:s:\r\n"
        "loadbalanceinfo:s:Cookie: mstshash=abcdefghijkmnpqrstuvwxyz234\r\n";
    char buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    rdpfile_write(&text, "vps.example.com", 20123, SECRET);
    assert_string_equal(buffer, EXPECTED);
}

static void an_ipv6_server_stands_in_brackets(void **state)
{
    char buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    rdpfile_write(&text, "2001:db8::1", 20123, SECRET);
    assert_memory_equal(buffer, "full address:s:[2001:db8::1]:20123\r\n", 36);
}

/* Microsoft wants the token with its CR LF to be of even length, and it must fit the packet. */
static void the_cookie_line_has_an_even_length_and_fits_a_packet(void **state)
{
    (void)state;
    assert_int_equal(strlen(SECRET), RDPFILE_SECRET_LEN);
    size_t line = strlen(RDPFILE_COOKIE) + RDPFILE_SECRET_LEN + 2;
    assert_int_equal(line % 2, 0);
    assert_in_range(line, 1, 202 + 2);
}

static void the_longest_server_name_fits_and_leaves_ascii_lines(void **state)
{
    char host[HOST_MAX + 1] = "", buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    for (size_t i = 0; i < HOST_MAX; i++) {
        host[i] = i % 64 == 63 ? '.' : 'a';
    }
    assert_int_equal(host_kind(host), HOST_NAME);
    rdpfile_write(&text, host, 65535, SECRET);
    assert_false(text.cut);
    for (const char *c = buffer; *c; c++) {
        bool line_end = (*c == '\r' && c[1] == '\n') || (*c == '\n' && c > buffer && c[-1] == '\r');
        assert_true(line_end || (*c >= 0x20 && *c < 0x7f));
    }
    assert_string_equal(buffer + text.len - 2, "\r\n");
}

static void file_names_hold_nothing_that_needs_quoting(void **state)
{
    static const char *const CASES[][2] = {
        {"HOME-PC", "HOME-PC.rdp"},
        {"pc.example_1.com", "pc.example_1.com.rdp"},
        {"192.168.1.22", "192.168.1.22.rdp"},
        {"fd00::1", "fd00--1.rdp"},
        {"a/b\\c%d\"e'f<g>&h", "a-b-c-d-e-f-g--h.rdp"},
        {"../../etc", "..-..-etc.rdp"},
        {"\xc3\xa4", "--.rdp"},
        {"", ".rdp"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char name[HOST_MAX + 5];
        rdpfile_name(CASES[i][0], name);
        assert_string_equal(name, CASES[i][1]);
    }
}

static void the_longest_target_name_has_a_file_name(void **state)
{
    char host[HOST_MAX + 1], name[HOST_MAX + 5];
    (void)state;
    memset(host, 'x', HOST_MAX);
    host[HOST_MAX] = '\0';
    rdpfile_name(host, name);
    assert_int_equal(strlen(name), HOST_MAX + 4);
    assert_string_equal(name + HOST_MAX, ".rdp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_has_exactly_these_bytes),
        cmocka_unit_test(an_ipv6_server_stands_in_brackets),
        cmocka_unit_test(the_cookie_line_has_an_even_length_and_fits_a_packet),
        cmocka_unit_test(the_longest_server_name_fits_and_leaves_ascii_lines),
        cmocka_unit_test(file_names_hold_nothing_that_needs_quoting),
        cmocka_unit_test(the_longest_target_name_has_a_file_name),
    };
    return cmocka_run_group_tests_name("rdpfile", tests, NULL, NULL);
}
