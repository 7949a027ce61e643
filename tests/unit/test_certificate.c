/* How a Remote Desktop server's certificate is read: what servers may say, and in which pieces. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "base/crypto.h"
#include "gateway/look/certificate.h"
#include "rdp_keys.h"

enum { ANSWER_MAX = 4096 };

/* printf "$RSA_CHAIN" | openssl x509 -noout -fingerprint -sha256 -dates; and with -sha1 */
static const char SHA256[] = "3789a5d04c3b55a499b6327c521fde61c78e7baae74239a08eb61aa99de07020";
static const char SHA1[] = "c97bae81d3351dd4ba5024480cac777dbf8e74d3";
enum { FROM = 1795705989, UNTIL = 2426425989 };

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

/* ---- a server ---------------------------------------------------------------- */

static int random_for_server(void *arg, unsigned char *buf, size_t len)
{
    (void)arg;
    return crypto_random(buf, len);
}

/* A Remote Desktop server: what it has heard and not read, and what it says. */
struct server {
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    struct said heard, said;
    size_t read;
};

static int server_hear(void *arg, unsigned char *buf, size_t len)
{
    struct server *server = arg;
    size_t n = server->heard.len - server->read < len ? server->heard.len - server->read : len;
    memcpy(buf, server->heard.bytes + server->read, n);
    server->read += n;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

static int server_say(void *arg, const unsigned char *buf, size_t len)
{
    say(&((struct server *)arg)->said, buf, len);
    return (int)len;
}

/* NULL: a key of its own, which is not that of any certificate. */
static void parse_key(mbedtls_pk_context *key, const char *text)
{
    mbedtls_pk_init(key);
    if (!text) {
        assert_int_equal(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
        assert_int_equal(
            mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), random_for_server, NULL, 2048, 65537), 0);
        return;
    }
    assert_int_equal(mbedtls_pk_parse_key(key, (const uint8_t *)text, strlen(text) + 1, NULL, 0,
                                          random_for_server, NULL),
                     0);
}

static void server_begin(struct server *server, mbedtls_ssl_protocol_version version,
                         const char *chain, const char *key)
{
    memset(server, 0, sizeof *server);
    assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
    mbedtls_ssl_config_init(&server->config);
    mbedtls_ssl_init(&server->ssl);
    mbedtls_x509_crt_init(&server->chain);
    parse_key(&server->key, key);
    assert_int_equal(
        mbedtls_x509_crt_parse(&server->chain, (const uint8_t *)chain, strlen(chain) + 1), 0);
    assert_int_equal(mbedtls_ssl_config_defaults(&server->config, MBEDTLS_SSL_IS_SERVER,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&server->config, random_for_server, NULL);
    mbedtls_ssl_conf_min_tls_version(&server->config, version);
    mbedtls_ssl_conf_max_tls_version(&server->config, version);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&server->config, &server->chain, &server->key), 0);
    assert_int_equal(mbedtls_ssl_setup(&server->ssl, &server->config), 0);
    mbedtls_ssl_set_bio(&server->ssl, server, server_say, server_hear, NULL);
    say_confirm(&server->said, 2, 1);
}

static void server_end(struct server *server)
{
    mbedtls_ssl_free(&server->ssl);
    mbedtls_ssl_config_free(&server->config);
    mbedtls_x509_crt_free(&server->chain);
    mbedtls_pk_free(&server->key);
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

/* Both talk until somebody has had enough: as certificate_take(). */
static int talk_to(struct server *server, struct talk *talk, size_t piece)
{
    enum { REQUEST_SIZE = 19 };
    size_t told = 0, passed = REQUEST_SIZE; /* of what is said to each */
    int heard = 0;
    memset(talk, 0, sizeof *talk);
    struct writer writer = writer_over(talk->answer, sizeof talk->answer);
    struct certificate *certificate = certificate_new(&writer);
    assert_non_null(certificate);
    while (heard == 0 && told < server->said.len) {
        size_t left = server->said.len - told, len = left < piece ? left : piece;
        heard = certificate_take(certificate, server->said.bytes + told, len, &writer, &talk->sight,
                                 &talk->why);
        told += len;
        talk->answered = sizeof talk->answer - writer.left;
        say(&server->heard, talk->answer + passed, talk->answered - passed);
        passed = talk->answered;
        if (told == server->said.len) {
            mbedtls_ssl_handshake(&server->ssl);
        }
    }
    assert_false(writer.failed);
    certificate_free(certificate);
    return heard;
}

static void a_certificate_is_read_in_whatever_pieces_it_comes(void **state)
{
    static const size_t PIECES[] = {1, 2, 7, 100, 80000};
    static const mbedtls_ssl_protocol_version VERSIONS[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                            MBEDTLS_SSL_VERSION_TLS1_3};
    static struct server server;
    (void)state;
    for (size_t i = 0; i < 2 * sizeof PIECES / sizeof *PIECES; i++) {
        struct sight right;
        struct talk talk;
        server_begin(&server, VERSIONS[i % 2], RSA_CHAIN, RSA_KEY);
        assert_int_equal(talk_to(&server, &talk, PIECES[i / 2]), 1);
        assert_int_equal(sight_of_certificate(&server.chain, &right), 0);
        assert_memory_equal(talk.sight.identity, right.identity, sizeof right.identity);
        assert_string_equal(talk.sight.host_key, "");
        server_end(&server);
    }
}

static void a_certificate_is_told_as_openssl_tells_it(void **state)
{
    static struct server server;
    char text[2 * CRYPTO_HASH_SIZE + 1];
    struct talk talk;
    (void)state;
    server_begin(&server, MBEDTLS_SSL_VERSION_TLS1_3, RSA_CHAIN, RSA_KEY);
    assert_int_equal(talk_to(&server, &talk, 4096), 1);
    crypto_hex(talk.sight.identity, sizeof talk.sight.identity, text);
    assert_string_equal(text, SHA256);
    crypto_hex(talk.sight.certificate_sha1, sizeof talk.sight.certificate_sha1, text);
    assert_string_equal(text, SHA1);
    assert_int_equal(talk.sight.certificate_from, FROM);
    assert_int_equal(talk.sight.certificate_until, UNTIL);
    server_end(&server);
}

/* Anybody can send a certificate that was seen elsewhere. */
static void a_certificate_without_its_key_is_nobodys(void **state)
{
    static const mbedtls_ssl_protocol_version VERSIONS[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                            MBEDTLS_SSL_VERSION_TLS1_3};
    static struct server server;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk talk;
        server_begin(&server, VERSIONS[i], RSA_CHAIN, NULL);
        assert_true(talk_to(&server, &talk, 4096) < 0);
        assert_non_null(strstr(talk.why.text, "does not prove that it is its own"));
        server_end(&server);
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
    assert_string_equal(talk.why.text,
                        "it speaks no TLS that is known here (1.3, or 1.2 with AES-GCM)");
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
    assert_string_equal(talk.why.text, "it says too much before it has proven who it is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_read_in_whatever_pieces_it_comes),
        cmocka_unit_test(a_certificate_is_told_as_openssl_tells_it),
        cmocka_unit_test(a_certificate_without_its_key_is_nobodys),
        cmocka_unit_test(tls_or_nla_is_asked_for_and_tls_begun),
        cmocka_unit_test(what_shows_no_certificate_is_told_in_words),
        cmocka_unit_test(nothing_goes_on_for_ever),
    };
    return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
