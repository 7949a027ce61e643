/* How a Remote Desktop server's certificate is read: what servers may say, and in which pieces. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "gateway/look/certificate.h"

enum { ANSWER_MAX = 4096 };

/* openssl req -x509 -key EC-KEY -subj /CN=HOME-PC -days 180 */
static const uint8_t CERTIFICATE[] = {
    0x30, 0x82, 0x01, 0x66, 0x30, 0x82, 0x01, 0x0c, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x07,
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 0x30, 0x12, 0x31, 0x10,
    0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x48, 0x4f, 0x4d, 0x45, 0x2d, 0x50, 0x43,
    0x30, 0x1e, 0x17, 0x0d, 0x32, 0x36, 0x31, 0x31, 0x32, 0x36, 0x31, 0x35, 0x32, 0x39, 0x35, 0x36,
    0x5a, 0x17, 0x0d, 0x32, 0x37, 0x30, 0x35, 0x32, 0x35, 0x31, 0x35, 0x32, 0x39, 0x35, 0x36, 0x5a,
    0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x48, 0x4f, 0x4d,
    0x45, 0x2d, 0x50, 0x43, 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0xfb,
    0x3a, 0xe3, 0x0b, 0x3e, 0xdb, 0x16, 0x76, 0x92, 0x6a, 0x95, 0x05, 0x38, 0x8c, 0xfb, 0xc2, 0x0c,
    0xc6, 0x82, 0xb4, 0x73, 0x34, 0xcc, 0xf0, 0x7c, 0x0e, 0x15, 0x15, 0x55, 0xcc, 0x03, 0x84, 0xea,
    0xd1, 0xc6, 0x51, 0xfa, 0x34, 0x61, 0xdf, 0xf7, 0x68, 0x12, 0xb4, 0x9a, 0x6f, 0x7c, 0x8d, 0x45,
    0x57, 0xf8, 0x98, 0x67, 0xa3, 0x46, 0x12, 0x90, 0xfc, 0xda, 0xc4, 0x91, 0x63, 0x0b, 0xb0, 0xa3,
    0x53, 0x30, 0x51, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14, 0x21, 0x62,
    0x70, 0x93, 0xba, 0xf2, 0x3d, 0x8a, 0xa0, 0xd6, 0x9f, 0xde, 0x4c, 0xf8, 0x2b, 0x5a, 0x27, 0x1a,
    0xe1, 0x25, 0x30, 0x1f, 0x06, 0x03, 0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0x21,
    0x62, 0x70, 0x93, 0xba, 0xf2, 0x3d, 0x8a, 0xa0, 0xd6, 0x9f, 0xde, 0x4c, 0xf8, 0x2b, 0x5a, 0x27,
    0x1a, 0xe1, 0x25, 0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30,
    0x03, 0x01, 0x01, 0xff, 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
    0x03, 0x48, 0x00, 0x30, 0x45, 0x02, 0x21, 0x00, 0x90, 0xaa, 0xdc, 0xe4, 0xe8, 0x80, 0xd5, 0x7b,
    0x25, 0x7a, 0x95, 0x7e, 0xcd, 0x80, 0x38, 0x5c, 0x6f, 0xb7, 0x0b, 0x84, 0x38, 0x74, 0x74, 0xa8,
    0x84, 0xe5, 0x18, 0xf2, 0x5e, 0xe3, 0xf1, 0x88, 0x02, 0x20, 0x50, 0x83, 0x8c, 0xae, 0xca, 0x9f,
    0x0a, 0x7e, 0x4b, 0x3e, 0xc8, 0x81, 0x1f, 0xd5, 0x82, 0xf6, 0xda, 0x9a, 0x54, 0x69, 0xce, 0x3a,
    0xd6, 0x15, 0x76, 0xc0, 0x21, 0x36, 0x1f, 0x39, 0xb9, 0x95,
};
/* As openssl x509 -fingerprint -dates tells them. */
static const char SHA256[] = "bbfbef23ad875dbe7bb150f45f529ecf1c748c559617300cd9f88687c8aebfd2";
static const char SHA1[] = "bc87b6cbe4544a53ae2faae5ef8fd4cde9a7e7f4";
enum { FROM = 1795706996, UNTIL = 1811258996 };

struct said {
    uint8_t bytes[80000];
    size_t len;
};

static void say(struct said *said, const void *data, size_t len)
{
    assert_true(len <= sizeof said->bytes - said->len);
    memcpy(said->bytes + said->len, data, len);
    said->len += len;
}

static void say_confirm(struct said *said, uint8_t kind, uint8_t value)
{
    const uint8_t confirm[] = {3, 0,    0, 19, 14, 0xd0,  0, 0, 0x12, 0x34,
                               0, kind, 0, 8,  0,  value, 0, 0, 0};
    say(said, confirm, sizeof confirm);
}

static void say_record(struct said *said, uint8_t type, const uint8_t *data, size_t len)
{
    const uint8_t head[] = {type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len};
    say(said, head, sizeof head);
    say(said, data, len);
}

static void say_handshake(struct said *said, uint8_t type, const uint8_t *data, size_t len)
{
    uint8_t message[1024] = {type, 0, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(message + 4, data, len);
    say_record(said, 22, message, 4 + len);
}

/* TLS 1.2 in the clear: a ServerHello (ECDHE_ECDSA with AES-128-GCM), and the certificate. */
static void say_tls(struct said *said)
{
    uint8_t hello[38] = {3, 3}, list[512];
    struct writer w = writer_over(list, sizeof list);
    memset(hello + 2, 'r', 32);
    hello[35] = 0xc0;
    hello[36] = 0x2b;
    write_u8(&w, 0);
    write_u16(&w, (uint16_t)(3 + sizeof CERTIFICATE));
    write_u8(&w, 0);
    write_u16(&w, (uint16_t)sizeof CERTIFICATE);
    write_bytes(&w, CERTIFICATE, sizeof CERTIFICATE);
    say_handshake(said, 2, hello, sizeof hello);
    say_handshake(said, 11, list, sizeof list - w.left);
}

struct talk {
    uint8_t answer[ANSWER_MAX];
    size_t answered;
    struct sight sight;
    struct why why;
};

static int hear(struct talk *talk, const struct said *said, size_t piece)
{
    memset(talk, 0, sizeof *talk);
    struct writer writer = writer_over(talk->answer, sizeof talk->answer);
    struct certificate *certificate = certificate_new(&writer);
    int heard = 0;
    assert_non_null(certificate);
    for (size_t at = 0; at < said->len && heard == 0; at += piece) {
        size_t len = said->len - at < piece ? said->len - at : piece;
        heard = certificate_take(certificate, said->bytes + at, len, &writer, &talk->sight,
                                 &talk->why);
    }
    assert_false(writer.failed);
    talk->answered = sizeof talk->answer - writer.left;
    certificate_free(certificate);
    return heard;
}

static void a_certificate_is_read_in_whatever_pieces_it_comes(void **state)
{
    static const size_t PIECES[] = {1, 2, 7, 100, 80000};
    char text[2 * CRYPTO_HASH_SIZE + 1];
    (void)state;
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        struct said said = {0};
        struct talk talk;
        say_confirm(&said, 2, i % 2 == 0 ? 1 : 2);
        say_tls(&said);
        assert_int_equal(hear(&talk, &said, PIECES[i]), 1);
        crypto_hex(talk.sight.identity, sizeof talk.sight.identity, text);
        assert_string_equal(text, SHA256);
        crypto_hex(talk.sight.certificate_sha1, sizeof talk.sight.certificate_sha1, text);
        assert_string_equal(text, SHA1);
        assert_int_equal(talk.sight.certificate_from, FROM);
        assert_int_equal(talk.sight.certificate_until, UNTIL);
        assert_string_equal(talk.sight.host_key, "");
    }
}

static void tls_or_nla_is_asked_for_and_tls_begun(void **state)
{
    static const uint8_t REQUEST[] = {3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0};
    struct said said = {0};
    struct talk talk;
    (void)state;
    assert_int_equal(hear(&talk, &said, 1), 0);
    assert_int_equal(talk.answered, sizeof REQUEST);
    say_confirm(&said, 2, 1);
    assert_int_equal(hear(&talk, &said, 1), 0);
    assert_memory_equal(talk.answer, REQUEST, sizeof REQUEST);
    assert_int_equal(talk.answer[sizeof REQUEST], 22);    /* a handshake's record */
    assert_int_equal(talk.answer[sizeof REQUEST + 5], 1); /* a ClientHello */
}

static void what_shows_no_certificate_is_told_in_words(void **state)
{
    static const uint8_t OLD[] = {3, 0, 0, 11, 6, 0xd0, 0, 0, 0x12, 0x34, 0};
    static const uint8_t ALERT[] = {2, 40};
    static const struct {
        uint8_t kind, value;
        const char *why;
    } ROWS[] = {
        {2, 0, "it has no TLS"},
        {3, 2, "it has no TLS"},
        {3, 5, "it insists on NLA, and refuses it"},
        {3, 0, "it refuses, for a reason that is not known here"},
        {9, 1, "it does not speak RDP"},
    };
    struct said said = {0};
    struct talk talk;
    (void)state;
    say(&said, OLD, sizeof OLD);
    assert_true(hear(&talk, &said, 1) < 0);
    assert_string_equal(talk.why.text, "it has no TLS");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        said.len = 0;
        say_confirm(&said, ROWS[i].kind, ROWS[i].value);
        assert_true(hear(&talk, &said, said.len) < 0);
        assert_string_equal(talk.why.text, ROWS[i].why);
    }
    for (uint8_t size = 0; size < 40; size++) { /* no other is that of a confirm */
        said.len = 0;
        say_confirm(&said, 2, 1);
        say_confirm(&said, 2, 1);
        said.bytes[3] = size;
        assert_true(size == 11 || size == 19 || hear(&talk, &said, 1) == -EBADMSG);
    }
    said.len = 0;
    say_confirm(&said, 2, 1);
    say_record(&said, 21, ALERT, sizeof ALERT);
    assert_true(hear(&talk, &said, said.len) < 0);
    assert_string_equal(talk.why.text, "it speaks no TLS that is known here");
}

static void nothing_goes_on_for_ever(void **state)
{
    static const uint8_t WARNING[] = {1, 90};
    struct said said = {0};
    struct talk talk;
    (void)state;
    say_confirm(&said, 2, 1);
    while (said.len < 66000) {
        say_record(&said, 21, WARNING, sizeof WARNING);
    }
    assert_true(hear(&talk, &said, 4096) < 0);
    assert_string_equal(talk.why.text, "it says too much before it shows a certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_read_in_whatever_pieces_it_comes),
        cmocka_unit_test(tls_or_nla_is_asked_for_and_tls_begun),
        cmocka_unit_test(what_shows_no_certificate_is_told_in_words),
        cmocka_unit_test(nothing_goes_on_for_ever),
    };
    return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
