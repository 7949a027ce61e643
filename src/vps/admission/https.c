/*
 * mbedTLS behind a face of our own, as in control/tls. Who is in the middle of something keeps the
 * certificate that it has begun with (struct terms_of_tls), while the next one takes a renewed one.
 *
 * No call takes long, whatever comes: a handshake is one signature, which is taken from a bucket
 * before anything is read, and after some reads a call ends (RECEIVES_PER_CALL).
 */
#include "vps/admission/https.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "base/allowance.h"
#include "base/bucket.h"
#include "base/clock.h"
#include "base/crypto.h"

enum { RECEIVES_PER_CALL = 64, RECORD_HANDSHAKE = 0x16, MAJOR_VERSION = 3 };

/* What lines have in common that begin with the same certificate. */
struct manner {
    unsigned users;
    struct rdp_certificate *certificate;
    mbedtls_ssl_config ssl;
};

struct https {
    struct publisher *publisher;
    const struct vps_settings *settings;
    struct manner *manner; /* NULL: none was needed yet */
    unsigned lines;
    struct bucket signatures;
    struct allowance networks;
};

struct https_line {
    struct https *https;
    struct manner *manner;
    int fd;
    bool shaken, wants_to_write;
    unsigned receives; /* in this call */
    size_t received;
    size_t ahead_at, ahead_len;
    uint8_t ahead[HTTPS_AHEAD_MAX];
    mbedtls_ssl_context ssl;
};

/* ---- with which certificate ---------------------------------------------------- */

static struct rdp_certificate *certificate_of(struct https *https)
{
    return publisher_server_certificate(https->publisher, https->settings->vps_host);
}

static void manner_drop(struct manner *manner)
{
    if (manner && --manner->users == 0) {
        mbedtls_ssl_config_free(&manner->ssl);
        rdp_certificate_free(manner->certificate);
        free(manner);
    }
}

static int configure(struct manner *manner)
{
    static const char *PROTOCOLS[] = {"http/1.1", NULL};
    mbedtls_ssl_config *ssl = &manner->ssl;
    if (mbedtls_ssl_config_defaults(ssl, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return -ENOMEM;
    }
    mbedtls_ssl_conf_rng(ssl, crypto_random_library, NULL);
    mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_tls13_key_exchange_modes(ssl, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    return rdp_certificate_use(manner->certificate, ssl) < 0 ||
                   mbedtls_ssl_conf_alpn_protocols(ssl, PROTOCOLS) != 0
               ? -ENOMEM
               : 0;
}

static struct manner *manner_new(struct rdp_certificate *certificate)
{
    struct manner *manner = calloc(1, sizeof *manner);
    if (!manner) {
        return NULL;
    }
    manner->users = 1;
    manner->certificate = rdp_certificate_hold(certificate);
    mbedtls_ssl_config_init(&manner->ssl);
    if (configure(manner) < 0) {
        manner_drop(manner);
        return NULL;
    }
    return manner;
}

/* That of now, which is the last one's as long as nobody has renewed it. */
static int manner_of(struct https *https, struct manner **ret_manner)
{
    struct rdp_certificate *certificate = certificate_of(https);
    if (!certificate) {
        return -EPROTONOSUPPORT;
    }
    if (!https->manner || https->manner->certificate != certificate) {
        struct manner *manner = manner_new(certificate);
        if (!manner) {
            return -ENOMEM;
        }
        manner_drop(https->manner);
        https->manner = manner;
    }
    https->manner->users++;
    *ret_manner = https->manner;
    return 0;
}

struct https *https_new(struct publisher *publisher, const struct vps_settings *settings)
{
    struct https *https = psa_crypto_init() == PSA_SUCCESS ? calloc(1, sizeof *https) : NULL;
    if (https) {
        https->publisher = publisher;
        https->settings = settings;
        https->networks = (struct allowance){.v4_bits = 24,
                                             .v6_bits = 48,
                                             .most = HTTPS_NETWORK_MOST,
                                             .refill_ms = HTTPS_NETWORK_EACH_MS};
    }
    return https;
}

void https_free(struct https *https)
{
    if (https) {
        manner_drop(https->manner);
        free(https);
    }
}

bool https_is_offered(struct https *https)
{
    return https && certificate_of(https);
}

/* ---- a line ---------------------------------------------------------------------- */

long https_missing(const uint8_t *data, size_t len)
{
    static const uint8_t BEGIN[] = {RECORD_HANDSHAKE, MAJOR_VERSION};
    size_t have = len < sizeof BEGIN ? len : sizeof BEGIN;
    return have == 0 || memcmp(data, BEGIN, have) != 0 ? -EBADMSG : (long)(sizeof BEGIN - have);
}

static int send_bytes(void *arg, const unsigned char *data, size_t len)
{
    const struct https_line *line = arg;
    ssize_t sent = send(line->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0                           ? (int)sent
           : errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
                                               : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int receive_bytes(void *arg, unsigned char *buffer, size_t size)
{
    struct https_line *line = arg;
    size_t here = line->ahead_len - line->ahead_at;
    if (here > 0) {
        size_t taken = size < here ? size : here;
        memcpy(buffer, line->ahead + line->ahead_at, taken);
        line->ahead_at += taken;
        return (int)taken;
    }
    if (line->receives++ >= RECEIVES_PER_CALL) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    ssize_t got = recv(line->fd, buffer, size, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
                                                 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    line->received += (size_t)got;
    return line->received > HTTPS_RECEIVED_MAX ? MBEDTLS_ERR_SSL_INVALID_RECORD : (int)got;
}

/* Of what is asked for most often, this is the dearest. */
static bool may_sign(struct https *https, const struct addr *from)
{
    uint64_t now = clock_ms();
    if (https->lines >= HTTPS_LINES_MAX || allowance_is_used_up(&https->networks, from, now) ||
        !bucket_take(&https->signatures, HTTPS_SIGNED_MOST, HTTPS_SIGNED_EACH_MS, now)) {
        return false;
    }
    allowance_use(&https->networks, from, now);
    return true;
}

static int set_up(struct https_line *line, const uint8_t *bytes, size_t len)
{
    if (len > sizeof line->ahead) {
        return -EINVAL;
    }
    if (len > 0) { /* at the entrance nothing was read yet, and bytes is NULL */
        memcpy(line->ahead, bytes, len);
    }
    line->ahead_len = len;
    if (mbedtls_ssl_setup(&line->ssl, &line->manner->ssl) != 0) {
        return -ENOMEM;
    }
    mbedtls_ssl_set_bio(&line->ssl, line, send_bytes, receive_bytes, NULL);
    return 0;
}

int https_begin(struct https *https, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len, struct https_line **ret_line)
{
    struct manner *manner;
    int err = https ? manner_of(https, &manner) : -EPROTONOSUPPORT;
    if (err < 0) {
        return err;
    }
    struct https_line *line = may_sign(https, from) ? calloc(1, sizeof *line) : NULL;
    if (!line) {
        manner_drop(manner);
        return -EBUSY;
    }
    line->https = https;
    line->manner = manner;
    line->fd = fd;
    https->lines++;
    mbedtls_ssl_init(&line->ssl);
    err = set_up(line, bytes, len);
    if (err < 0) {
        https_line_free(line);
        return err;
    }
    *ret_line = line;
    return 0;
}

void https_line_free(struct https_line *line)
{
    if (line) {
        line->https->lines--;
        mbedtls_ssl_free(&line->ssl);
        manner_drop(line->manner);
        free(line);
    }
}

static long result_of(struct https_line *line, int result)
{
    line->wants_to_write = result == MBEDTLS_ERR_SSL_WANT_WRITE;
    switch (result) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return -EAGAIN;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return 0;
    default:
        return result < 0 ? -EPROTO : result;
    }
}

long https_read(struct https_line *line, void *buffer, size_t size)
{
    line->receives = 0;
    int result = line->shaken ? 0 : mbedtls_ssl_handshake(&line->ssl);
    if (result == 0) {
        line->shaken = true;
        result = mbedtls_ssl_read(&line->ssl, buffer, size);
    }
    return result_of(line, result);
}

bool https_wants_to_write(const struct https_line *line)
{
    return line->wants_to_write;
}

void https_write_last(struct https_line *line, const void *data, size_t len)
{
    const unsigned char *at = data, *end = at + len;
    int wrote = 1;
    while (at < end && (wrote = mbedtls_ssl_write(&line->ssl, at, (size_t)(end - at))) > 0) {
        at += wrote;
    }
    if (wrote > 0) {
        mbedtls_ssl_close_notify(&line->ssl);
    }
}
