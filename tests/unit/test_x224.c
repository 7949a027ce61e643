/*
 * The first packet of RDP clients: real ones as they were captured, and what
 * strangers make of it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "vps/admission/x224.h"

enum { BUFFER_SIZE = 600, HEADER = 11 };

/* Negotiation requests, and the correlation info that mstsc adds to them. */
#define NEGOTIATE   "0100080003000000"
#define NEGOTIATE_C "0108080003000000"
#define CORRELATION "06002400f0112233445566778899aabbccddeeff00000000000000000000000000000000"

struct capture {
    const char *what;
    const char *hex;      /* the header; its line follows */
    const char *line;     /* NULL: none */
    const char *rest_hex; /* after the line */
};

static const struct capture CAPTURES[] = {
    {"FreeRDP with a user name", "0300003631e00000000000", "Cookie: mstshash=verylongusername",
     NEGOTIATE},
    {"FreeRDP with a short user name", "0300002924e00000000000", "Cookie: mstshash=abc", NEGOTIATE},
    {"a resource behind a broker", "0300002a25e00000000000", "tsv://VMResource.1.AH",
     "010008000b000000"},
    {"the load balancer's own form", "0300003732e00000000000", "Cookie: msts=3640205228.15629.0000",
     NEGOTIATE},
    {"nmap", "0300002a25e00000000000", "Cookie: mstshash=nmap", "0100080000000000"},
    {"no user name", "030000130ee00000000000", NULL, NEGOTIATE},
    {"no user name, with correlation info", "0300003732e00000000000", NULL,
     NEGOTIATE_C CORRELATION},
    {"a user name and correlation info", "0300005954e00000000000",
     "Cookie: mstshash=Administ-longer", NEGOTIATE_C CORRELATION},
    {"an old client that negotiates nothing", "0300000b06e00000000000", NULL, ""},
    {"an old client with a user name", "0300001f1ae00000000000", "Cookie: mstshash=a", ""},
};
enum { CAPTURES_COUNT = sizeof CAPTURES / sizeof *CAPTURES };

static size_t add_hex(uint8_t *data, size_t len, const char *hex)
{
    size_t bytes = strlen(hex) / 2;
    assert_int_equal(crypto_unhex(hex, data + len, bytes), 0);
    return len + bytes;
}

static size_t packet_of(const struct capture *capture, uint8_t data[BUFFER_SIZE])
{
    size_t len = add_hex(data, 0, capture->hex);
    if (capture->line) {
        len += (size_t)sprintf((char *)data + len, "%s\r\n", capture->line);
    }
    return add_hex(data, len, capture->rest_hex);
}

/* A well-formed packet with this line (without CRLF) and these bytes after it. */
static size_t packet_with(const void *line, size_t line_len, const void *rest, size_t rest_len,
                          uint8_t data[BUFFER_SIZE])
{
    size_t len = HEADER + line_len + 2 + rest_len;
    const uint8_t header[HEADER] = {3,   0, (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)(len - 5),
                                    0xe0};
    memcpy(data, header, HEADER);
    memcpy(data + HEADER, line, line_len);
    memcpy(data + HEADER + line_len, "\r\n", 2);
    memcpy(data + HEADER + line_len + 2, rest, rest_len);
    return len;
}

static const uint8_t NEGOTIATION[8] = {1, 0, 8, 0, 3, 0, 0, 0};

/* The parser sees a block of exactly that size, so that a sanitizer sees it read beyond. */
static long missing_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, data, len);
    long missing = x224_missing(copy, len);
    free(copy);
    return missing;
}

static int parse_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct x224_request request;
    memcpy(copy, data, len);
    int err = x224_parse(copy, len, &request);
    free(copy);
    return err;
}

static void captured_packets_are_read_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURES_COUNT; i++) {
        uint8_t data[BUFFER_SIZE];
        struct x224_request request;
        size_t len = packet_of(&CAPTURES[i], data);
        if (x224_missing(data, len) != 0 || x224_parse(data, len, &request) != 0) {
            fail_msg("refused: %s", CAPTURES[i].what);
        }
        const char *line = CAPTURES[i].line;
        assert_int_equal(request.line_len, line ? strlen(line) : 0);
        assert_ptr_equal(request.line, line ? data + HEADER : NULL);
        assert_memory_equal(data + HEADER, line ? line : (char *)data + HEADER, request.line_len);
    }
}

static void a_captured_packet_loses_its_line_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURES_COUNT; i++) {
        uint8_t data[BUFFER_SIZE], rest[BUFFER_SIZE];
        struct x224_request request;
        size_t len = packet_of(&CAPTURES[i], data);
        size_t rest_len = add_hex(rest, 0, CAPTURES[i].rest_hex);
        size_t shorter = x224_cut_line(data, len);
        const uint8_t header[HEADER] = {
            3, 0, 0, (uint8_t)(HEADER + rest_len), (uint8_t)(HEADER + rest_len - 5), 0xe0};
        assert_int_equal(shorter, HEADER + rest_len);
        assert_memory_equal(data, header, HEADER);
        assert_memory_equal(data + HEADER, rest, rest_len);
        assert_int_equal(x224_parse(data, shorter, &request), 0);
        assert_null(request.line);
    }
}

static void the_documented_packet_becomes_the_documented_bytes(void **state)
{
    static const uint8_t EXPECTED[] = {0x03, 0x00, 0x00, 0x13, 0x0e, 0xe0, 0x00, 0x00, 0x00, 0x00,
                                       0x00, 0x01, 0x00, 0x08, 0x00, 0x03, 0x00, 0x00, 0x00};
    uint8_t data[BUFFER_SIZE];
    const char *line = "Cookie: mstshash=abcdefghijkmnpqrstuvwxy";
    (void)state;
    size_t len = packet_with(line, strlen(line), NEGOTIATION, 8, data);
    assert_memory_equal(data, "\x03\x00\x00\x3d\x38\xe0", 6);
    assert_int_equal(x224_cut_line(data, len), sizeof EXPECTED);
    assert_memory_equal(data, EXPECTED, sizeof EXPECTED);
}

static void the_references_of_the_header_are_left_alone(void **state)
{
    uint8_t data[BUFFER_SIZE];
    (void)state;
    size_t len = packet_with("Cookie: mstshash=x", 18, NEGOTIATION, 8, data);
    memcpy(data + 6, "\x12\x34\x56\x78\x9a", 5);
    assert_int_equal(x224_cut_line(data, len), 19);
    assert_memory_equal(data + 6, "\x12\x34\x56\x78\x9a", 5);
}

static void a_packet_without_a_line_is_not_cut(void **state)
{
    uint8_t data[BUFFER_SIZE], before[BUFFER_SIZE];
    (void)state;
    size_t len = packet_of(&CAPTURES[5], data);
    memcpy(before, data, len);
    assert_int_equal(x224_cut_line(data, len), len);
    assert_memory_equal(data, before, len);
}

static void a_truncated_packet_says_how_much_is_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < CAPTURES_COUNT; i++) {
        uint8_t data[BUFFER_SIZE];
        size_t whole = packet_of(&CAPTURES[i], data);
        for (size_t len = 0; len < whole; len++) {
            assert_int_equal(missing_of(data, len), (long)(len < 4 ? 4 - len : whole - len));
            assert_int_equal(parse_of(data, len), -EBADMSG);
            assert_int_equal(x224_cut_line(data, len), len);
        }
        assert_int_equal(missing_of(data, whole), 0);
        assert_int_equal(missing_of(data, whole + 1), -EBADMSG);
        assert_int_equal(parse_of(data, whole + 1), -EBADMSG);
    }
}

/* Reading as the door does: never more than what is missing, whatever the length field says. */
static void no_length_lets_a_packet_be_too_short_or_too_long(void **state)
{
    uint8_t data[BUFFER_SIZE] = {0};
    (void)state;
    size_t honest = packet_of(&CAPTURES[0], data);
    for (unsigned length = 0; length <= 0xffff; length++) {
        data[2] = (uint8_t)(length >> 8);
        data[3] = (uint8_t)length;
        bool possible = length >= HEADER && length <= X224_MAX;
        assert_int_equal(x224_missing(data, 4), possible ? (long)length - 4 : -EBADMSG);
        if (length != honest) {
            assert_int_equal(parse_of(data, honest), -EBADMSG);
            if (possible) {
                assert_int_equal(parse_of(data, length), -EBADMSG); /* LI disagrees */
            }
        }
    }
}

static void a_length_indicator_that_disagrees_is_refused(void **state)
{
    uint8_t data[BUFFER_SIZE];
    (void)state;
    size_t len = packet_of(&CAPTURES[0], data);
    uint8_t honest = data[4];
    for (unsigned li = 0; li <= 0xff; li++) {
        data[4] = (uint8_t)li;
        assert_int_equal(parse_of(data, len), li == honest ? 0 : -EBADMSG);
    }
}

static void only_a_connection_request_in_tpkt_3_is_one(void **state)
{
    static const unsigned PLACES[] = {0, 1, 5};
    (void)state;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        for (unsigned value = 0; value <= 0xff; value++) {
            uint8_t data[BUFFER_SIZE];
            size_t len = packet_of(&CAPTURES[0], data);
            bool right = data[PLACES[i]] == value;
            data[PLACES[i]] = (uint8_t)value;
            assert_int_equal(parse_of(data, len), right ? 0 : -EBADMSG);
            /* ... and it is refused as soon as the byte is there. */
            assert_int_equal(missing_of(data, PLACES[i] + 1) == -EBADMSG, !right);
        }
    }
}

static void a_line_has_to_end_in_cr_lf(void **state)
{
    static const struct {
        const char *what, *line;
    } CASES[] = {
        {"LF only", "Cookie: mstshash=abc\n"},
        {"CR only", "Cookie: mstshash=abc\r"},
        {"LF CR", "Cookie: mstshash=abc\n\r"},
        {"nothing", "Cookie: mstshash=abc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint8_t data[BUFFER_SIZE];
        size_t len = packet_with(CASES[i].line, strlen(CASES[i].line), NEGOTIATION, 8, data);
        memmove(data + len - 10, data + len - 8, 8); /* over its CR LF */
        len -= 2;
        data[3] = (uint8_t)len;
        data[4] = (uint8_t)(len - 5);
        if (parse_of(data, len) != -EBADMSG) {
            fail_msg("taken: %s", CASES[i].what);
        }
    }
}

static void the_last_byte_may_not_be_half_a_line_end(void **state)
{
    uint8_t data[BUFFER_SIZE];
    (void)state;
    size_t len = packet_with("Cookie: mstshash=abc", 20, "", 0, data) - 1;
    data[3] = (uint8_t)len;
    data[4] = (uint8_t)(len - 5);
    assert_int_equal(data[len - 1], '\r');
    assert_int_equal(parse_of(data, len), -EBADMSG);
}

static void the_first_line_end_counts(void **state)
{
    uint8_t data[BUFFER_SIZE];
    struct x224_request request;
    (void)state;
    /* What follows has to be a negotiation request then, and a second line is none. */
    size_t len = packet_with("one\r\ntwo", 8, NEGOTIATION, 8, data);
    assert_int_equal(parse_of(data, len), -EBADMSG);
    /* An empty line is a line; its cut leaves a packet without one. */
    len = packet_with("", 0, NEGOTIATION, 8, data);
    assert_int_equal(x224_parse(data, len, &request), 0);
    assert_non_null(request.line);
    assert_int_equal(request.line_len, 0);
    assert_int_equal(x224_cut_line(data, len), 19);
}

static void a_negotiation_request_cut_short_is_refused(void **state)
{
    (void)state;
    for (size_t rest = 1; rest < sizeof NEGOTIATION; rest++) {
        uint8_t data[BUFFER_SIZE];
        size_t len = packet_with("Cookie: mstshash=abc", 20, NEGOTIATION, rest, data);
        assert_int_equal(parse_of(data, len), -EBADMSG);
    }
    for (unsigned type = 0; type <= 0xff; type++) {
        uint8_t data[BUFFER_SIZE];
        size_t len = packet_with("Cookie: mstshash=abc", 20, NEGOTIATION, 8, data);
        data[len - 8] = (uint8_t)type;
        assert_int_equal(parse_of(data, len), type == 1 ? 0 : -EBADMSG);
    }
}

static void the_longest_token_beside_correlation_info_has_202_bytes(void **state)
{
    uint8_t data[BUFFER_SIZE], rest[44];
    char token[203];
    struct x224_request request;
    (void)state;
    size_t rest_len = add_hex(rest, 0, NEGOTIATE_C);
    rest_len = add_hex(rest, rest_len, "06002400");
    memset(rest + rest_len, 0x5a, sizeof rest - rest_len);
    memset(token, 't', sizeof token);

    size_t len = packet_with(token, 202, rest, sizeof rest, data);
    assert_int_equal(len, X224_MAX);
    assert_int_equal(x224_missing(data, 4), X224_MAX - 4);
    assert_int_equal(x224_parse(data, len, &request), 0);
    assert_int_equal(request.line_len, 202);
    assert_int_equal(x224_cut_line(data, len), HEADER + sizeof rest);
    assert_memory_equal(data + HEADER, rest, sizeof rest);

    len = packet_with(token, 203, rest, sizeof rest, data);
    assert_int_equal(missing_of(data, 4), -EBADMSG);
    assert_int_equal(parse_of(data, len), -EBADMSG);
}

static void other_protocols_are_no_rdp(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
    } CASES[] = {
        {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", 21},
        {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"a preconnection blob", "\x2a\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x0c\0T\0O\0", 22},
        {"a data TPDU", "\x03\0\0\x0c\x02\xf0\x80\x04\x01\0\x01\0", 12},
        {"LF", "\n", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (missing_of((const uint8_t *)CASES[i].bytes, CASES[i].len) != -EBADMSG) {
            fail_msg("taken for RDP: %s", CASES[i].what);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_packets_are_read_with_their_line),
        cmocka_unit_test(a_captured_packet_loses_its_line_and_nothing_else),
        cmocka_unit_test(the_documented_packet_becomes_the_documented_bytes),
        cmocka_unit_test(the_references_of_the_header_are_left_alone),
        cmocka_unit_test(a_packet_without_a_line_is_not_cut),
        cmocka_unit_test(a_truncated_packet_says_how_much_is_missing),
        cmocka_unit_test(no_length_lets_a_packet_be_too_short_or_too_long),
        cmocka_unit_test(a_length_indicator_that_disagrees_is_refused),
        cmocka_unit_test(only_a_connection_request_in_tpkt_3_is_one),
        cmocka_unit_test(a_line_has_to_end_in_cr_lf),
        cmocka_unit_test(the_last_byte_may_not_be_half_a_line_end),
        cmocka_unit_test(the_first_line_end_counts),
        cmocka_unit_test(a_negotiation_request_cut_short_is_refused),
        cmocka_unit_test(the_longest_token_beside_correlation_info_has_202_bytes),
        cmocka_unit_test(other_protocols_are_no_rdp),
    };
    return cmocka_run_group_tests_name("x224", tests, NULL, NULL);
}
