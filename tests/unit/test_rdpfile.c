/* The .rdp file, byte by byte: every client has to read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/gateway_name.h"
#include "shared/target.h"
#include "vps/grant/rdpfile.h"

static const char SECRET[] = "abcdefghijkmnpqrstuvwxyz234";

static void write(struct text *text, struct rdpfile file)
{
    file.port = 20123;
    file.secret = SECRET;
    file.user = file.user ? file.user : "";
    rdpfile_write(&file, text);
}

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
        "bandwidthautodetect:i:1\r\n"
        "redirectprinters:i:0\r\n"
        "redirectsmartcards:i:0\r\n"
        "redirectcomports:i:0\r\n"
        "redirectwebauthn:i:0\r\n"
        "audiocapturemode:i:0\r\n"
        "drivestoredirect:s:\r\n"
        "devicestoredirect:s:\r\n"
        "camerastoredirect:s:\r\n"
        "redirectclipboard:i:0\r\n"
        "loadbalanceinfo:s:Cookie: mstshash=abcdefghijkmnpqrstuvwxyz234\r\n";
    char buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    write(&text, (struct rdpfile){.host = "vps.example.com"});
    assert_string_equal(buffer, EXPECTED);
}

static void an_ipv6_server_stands_in_brackets(void **state)
{
    char buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    write(&text, (struct rdpfile){.host = "2001:db8::1"});
    assert_memory_equal(buffer, "full address:s:[2001:db8::1]:20123\r\n", 36);
}

static void a_name_is_put_in_and_the_password_is_asked_for(void **state)
{
    static const char *const CASES[][2] = {
        {"anna", ":20123\r\nusername:s:anna\r\nprompt for credentials:i:1\r\n"},
        {"CORP\\mxu",
         ":20123\r\nusername:s:mxu\r\ndomain:s:CORP\r\nprompt for credentials:i:1\r\n"},
        {"mxu@corp.local", "username:s:mxu@corp.local\r\nprompt"},
        {"First Last", "username:s:First Last\r\nprompt"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char buffer[2048];
        struct text text = text_over(buffer, sizeof buffer);
        write(&text, (struct rdpfile){.host = "vps", .user = CASES[i][0]});
        assert_non_null(strstr(buffer, CASES[i][1]));
    }
}

static void the_clipboard_is_shared_if_it_may(void **state)
{
    char buffer[2048];
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    write(&text, (struct rdpfile){.host = "vps", .clipboard = true});
    assert_non_null(strstr(buffer, "\r\nredirectclipboard:i:1\r\n"));
    assert_non_null(strstr(buffer, "\r\nredirectprinters:i:0\r\n"));
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
    char host[HOST_MAX + 1] = "", user[USER_MAX + 1] = "", buffer[2048];
    memset(user, 'u', USER_MAX);
    struct text text = text_over(buffer, sizeof buffer);
    (void)state;
    for (size_t i = 0; i < HOST_MAX; i++) {
        host[i] = i % 64 == 63 ? '.' : 'a';
    }
    assert_int_equal(host_kind(host), HOST_NAME);
    write(&text, (struct rdpfile){.host = host, .user = user});
    assert_false(text.cut);
    for (const char *c = buffer; *c; c++) {
        bool line_end = (*c == '\r' && c[1] == '\n') || (*c == '\n' && c > buffer && c[-1] == '\r');
        assert_true(line_end || (*c >= 0x20 && *c < 0x7f));
    }
    assert_string_equal(buffer + text.len - 2, "\r\n");
}

static void file_names_hold_nothing_that_needs_quoting(void **state)
{
    static const char *const CASES[][3] = {
        {"", "HOME-PC", "HOME-PC.rdp"},
        {"office", "HOME-PC", "office-HOME-PC.rdp"},
        {"", "pc.example_1.com", "pc.example_1.com.rdp"},
        {"", "192.168.1.22", "192.168.1.22.rdp"},
        {"", "fd00::1", "fd00--1.rdp"},
        {"", "::1", "pam---1.rdp"},
        {"office", "::1", "office---1.rdp"},
        {"", "a/b\\c%d\"e'f<g>&h", "a-b-c-d-e-f-g--h.rdp"},
        {"", "../../etc", "..-..-etc.rdp"},
        {"", "", ".rdp"},
        /* what Windows keeps for devices */
        {"", "con", "pam-con.rdp"},
        {"", "NUL", "pam-NUL.rdp"},
        {"", "aux.lan", "pam-aux.lan.rdp"},
        {"", "Prn", "pam-Prn.rdp"},
        {"", "com1", "pam-com1.rdp"},
        {"", "com0", "pam-com0.rdp"},
        {"", "LPT9", "pam-LPT9.rdp"},
        {"", "com10", "com10.rdp"},
        {"", "console", "console.rdp"},
        {"", "co", "co.rdp"},
        {"office", "con", "office-con.rdp"},
        {"con", "pc", "con-pc.rdp"},
        {"con.x", "pc", "pam-con.x-pc.rdp"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char name[RDPFILE_NAME_SIZE];
        rdpfile_name(CASES[i][0], CASES[i][1], name);
        assert_string_equal(name, CASES[i][2]);
    }
}

/* 255 bytes are the most that file systems take. */
static void the_longest_target_name_has_a_file_name(void **state)
{
    char gateway[GATEWAY_NAME_MAX + 1] = "", host[HOST_MAX + 1] = "", name[RDPFILE_NAME_SIZE];
    (void)state;
    memset(gateway, 'g', GATEWAY_NAME_MAX);
    memset(host, 'x', HOST_MAX);
    rdpfile_name(gateway, host, name);
    assert_in_range(strlen(name), 200, 255);
    assert_string_equal(name + strlen(name) - 5, "x.rdp");
    memcpy(gateway, "con.", 4);
    rdpfile_name(gateway, host, name);
    assert_in_range(strlen(name), 200, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_has_exactly_these_bytes),
        cmocka_unit_test(an_ipv6_server_stands_in_brackets),
        cmocka_unit_test(a_name_is_put_in_and_the_password_is_asked_for),
        cmocka_unit_test(the_clipboard_is_shared_if_it_may),
        cmocka_unit_test(the_cookie_line_has_an_even_length_and_fits_a_packet),
        cmocka_unit_test(the_longest_server_name_fits_and_leaves_ascii_lines),
        cmocka_unit_test(file_names_hold_nothing_that_needs_quoting),
        cmocka_unit_test(the_longest_target_name_has_a_file_name),
    };
    return cmocka_run_group_tests_name("rdpfile", tests, NULL, NULL);
}
