/*
 * Two steps: X.224's connection confirm, and mbedTLS's handshake. mbedTLS gets the bytes of this
 * call and hands over what it wants to be sent; it keeps no bytes of ours.
 *
 * The handshake goes to its end: anybody can send a certificate that was seen elsewhere, and only
 * who has its key gets that far. Clients of Remote Desktop would not notice: they take what nobody
 * has signed once their user says so.
 *
 * The chain is checked against no authority (VERIFY_OPTIONAL without any), so that mbedTLS shows it
 * (on_certificate()) and goes on whatever it finds.
 */
#include "gateway/look/certificate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "base/crypto.h"

enum {
    HEARD_MAX = 64 * 1024, /* a chain of 16 KiB is the most that mbedTLS takes */
    TPKT_SIZE = 4,
    PLAIN_CONFIRM_SIZE = 11, /* of a server that was built before there was a choice */
    CONFIRM_SIZE = 19,
    CONNECTION_CONFIRM = 0xd0,
    CHOICE = 2,
    REFUSAL = 3,
    NO_TLS = 0, /* a choice: RDP's own encryption */
};

struct certificate {
    bool confirmed;
    size_t confirm_len;
    uint8_t confirm[CONFIRM_SIZE];
    size_t heard;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    const uint8_t *data; /* of this call */
    size_t left;
    struct writer *answer;
    bool seen;
    struct sight sight;
};

/* ---- TLS ------------------------------------------------------------------- */

static int random_for_tls(void *arg, unsigned char *buf, size_t len)
{
    (void)arg;
    return crypto_random(buf, len) < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : 0;
}

static int hear_bytes(void *arg, unsigned char *buf, size_t len)
{
    struct certificate *certificate = arg;
    size_t n = len < certificate->left ? len : certificate->left;
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(buf, certificate->data, n);
    certificate->data += n;
    certificate->left -= n;
    return (int)n;
}

static int say_bytes(void *arg, const unsigned char *buf, size_t len)
{
    struct certificate *certificate = arg;
    write_bytes(certificate->answer, buf, len);
    return certificate->answer->failed ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)len;
}

/* The first one is the server's own; those behind it lead to who signed it. */
static int on_certificate(void *arg, mbedtls_x509_crt *chain, int depth, uint32_t *flags)
{
    struct certificate *certificate = arg;
    *flags = 0; /* who vouches for it is not asked here */
    if (depth == 0) {
        int err = sight_of_certificate(chain, &certificate->sight);
        certificate->seen = err == 0;
    }
    return 0;
}

static int set_up(struct certificate *certificate)
{
    mbedtls_ssl_config *config = &certificate->config;
    mbedtls_ssl_config_init(config);
    mbedtls_ssl_init(&certificate->ssl);
    if (psa_crypto_init() != PSA_SUCCESS ||
        mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return -ENOMEM;
    }
    mbedtls_ssl_conf_rng(config, random_for_tls, NULL);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_verify(config, on_certificate, certificate);
    if (mbedtls_ssl_setup(&certificate->ssl, config) != 0) {
        return -ENOMEM;
    }
    mbedtls_ssl_set_bio(&certificate->ssl, certificate, say_bytes, hear_bytes, NULL);
    return 0;
}

static int handshake(struct certificate *certificate, struct sight *ret_sight, struct why *why)
{
    int err = mbedtls_ssl_handshake(&certificate->ssl);
    if (err == 0 && certificate->seen) {
        mbedtls_ssl_close_notify(&certificate->ssl);
        *ret_sight = certificate->sight;
        return 1;
    }
    if (err == MBEDTLS_ERR_SSL_WANT_READ || err == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return 0;
    }
    if (certificate->seen) {
        return why_set(why, -EPROTO,
                       "it shows a certificate and does not prove that it is its own (Mbed TLS: "
                       "-0x%04x)",
                       (unsigned)-err);
    }
    if (err == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        return why_set(why, -EPROTO,
                       "it speaks no TLS that is known here (1.3, or 1.2 with AES-GCM)");
    }
    return why_set(why, -EPROTO, "its TLS cannot be read (Mbed TLS: -0x%04x)", (unsigned)-err);
}

/* ---- X.224 ----------------------------------------------------------------- */

/* MS-RDPBCGR, 2.2.1.2.2: why it does not go on. */
static const char *refusal(uint32_t code)
{
    static const char *const REASONS[] = {
        [1] = "it insists on TLS, and refuses it",
        [2] = "it has no TLS",
        [3] = "it has no certificate",
        [4] = "it finds the request inconsistent",
        [5] = "it insists on NLA, and refuses it",
        [6] = "it insists on a client's certificate",
    };
    return code < sizeof REASONS / sizeof *REASONS && REASONS[code]
               ? REASONS[code]
               : "it refuses, for a reason that is not known here";
}

static int no_rdp(struct why *why)
{
    return why_set(why, -EBADMSG, "it does not speak RDP");
}

/* 1: TLS begins. */
static int hear_choice(const uint8_t *confirm, struct why *why)
{
    struct reader reader = reader_over(confirm + PLAIN_CONFIRM_SIZE,
                                       CONFIRM_SIZE - PLAIN_CONFIRM_SIZE);
    uint8_t type = read_u8(&reader);
    read_bytes(&reader, 3); /* flags, and the length, which is always 8 */
    uint32_t little_endian = read_u32(&reader);
    uint32_t value = __builtin_bswap32(little_endian);
    if (type == REFUSAL) {
        return why_set(why, -EPROTONOSUPPORT, "%s", refusal(value));
    }
    if (type != CHOICE) {
        return no_rdp(why);
    }
    return value == NO_TLS ? why_set(why, -EPROTONOSUPPORT, "it has no TLS") : 1;
}

/* How long it is, one of the two sizes; 0: not known yet; -EBADMSG. */
static long confirm_size(const uint8_t *confirm, size_t len)
{
    if ((len > 0 && confirm[0] != 3) || (len > 1 && confirm[1] != 0) ||
        (len > 5 && (confirm[5] & 0xf0) != CONNECTION_CONFIRM)) {
        return -EBADMSG;
    }
    if (len < TPKT_SIZE) {
        return 0;
    }
    long size = confirm[2] << 8 | confirm[3];
    return size == PLAIN_CONFIRM_SIZE || size == CONFIRM_SIZE ? size : -EBADMSG;
}

/* Takes the confirm's bytes out of this call's. 1: it is whole, and TLS begins; 0: not yet. */
static int hear_confirm(struct certificate *certificate, struct why *why)
{
    while (certificate->left > 0) {
        certificate->confirm[certificate->confirm_len++] = *certificate->data++;
        certificate->left--;
        long size = confirm_size(certificate->confirm, certificate->confirm_len);
        if (size < 0) {
            return no_rdp(why);
        }
        if (size == (long)certificate->confirm_len) {
            return size == CONFIRM_SIZE ? hear_choice(certificate->confirm, why)
                                        : why_set(why, -EPROTONOSUPPORT, "it has no TLS");
        }
    }
    return 0;
}

/* ---- the conversation ------------------------------------------------------ */

struct certificate *certificate_new(struct writer *answer)
{
    /* TPKT, a connection request, and what may be chosen: TLS, or NLA, which begins with TLS. */
    static const uint8_t REQUEST[] = {3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0};
    struct certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate) {
        return NULL;
    }
    if (set_up(certificate) < 0) {
        certificate_free(certificate);
        return NULL;
    }
    write_bytes(answer, REQUEST, sizeof REQUEST);
    return certificate;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate) {
        mbedtls_ssl_free(&certificate->ssl);
        mbedtls_ssl_config_free(&certificate->config);
        free(certificate);
    }
}

int certificate_take(struct certificate *certificate, const uint8_t *data, size_t len,
                     struct writer *answer, struct sight *ret_sight, struct why *why)
{
    certificate->data = data;
    certificate->left = len;
    certificate->answer = answer;
    certificate->heard += len;
    if (!certificate->confirmed) {
        int heard = hear_confirm(certificate, why);
        if (heard <= 0) {
            return heard;
        }
        certificate->confirmed = true;
    }
    int heard = handshake(certificate, ret_sight, why);
    return heard == 0 && certificate->heard > HEARD_MAX
               ? why_set(why, -EMSGSIZE, "it says too much before it has proven who it is")
               : heard;
}
