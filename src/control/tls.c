/*
 * mbedTLS behind a face of our own. Its handshake is the only state (`shaken` when it is
 * over); it is called when the socket is ready, and calls back for bytes and, on a server, for
 * the key of a name, from where nothing may be freed.
 *
 * What the library does not do by itself, and why it has to be done:
 * - a name that is not known fails exactly as a wrong key does (find_key), or strangers could
 *   find out the names of gateways;
 * - a name may have two keys, and the library knows of one: the first flight is read again with the
 *   other one (try_other_key). It always is, so that time does not tell who has two;
 * - who has shown a key is known with the first flight (note_first_record), since at a crowded
 *   control port such a peer keeps its place, and a whole handshake later is too late;
 * - no call takes long and no handshake takes much, whatever the peer sends (receive_bytes);
 * - a record costs one recv(2) instead of two (read_ahead), so that bytes may be waiting here
 *   which the socket shows nobody: tls_holds_bytes().
 */
#include "control/tls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "base/host.h"
#include "shared/gateway_name.h"

/* An external PSK is bound to SHA-256 here, so only these two suites can be used. */
static const int CIPHER_SUITES[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    0,
};
static const uint16_t GROUPS[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

const uint8_t TLS_STRANGER_KEY[CRYPTO_KEY_SIZE] = "pamtunnel pairing, known to all!";

/*
 * mbedTLS skips idle records (ChangeCipherSpec, warnings) in a loop of its own for
 * as long as more of them come, and anybody can send them. So a call stops after
 * some reads and goes on in the next turn of the event loop, and a handshake,
 * which takes less than 1 KiB, does not go on for ever.
 */
enum { RECEIVES_PER_CALL = 64, HANDSHAKE_BYTES_MAX = 16 * 1024, AHEAD_SIZE = 512, ALERT_SIZE = 7 };

struct tls_config {
    mbedtls_ssl_config ssl;
    tls_key_fn key_of;
    void *arg;
    uint8_t secret[CRYPTO_KEY_SIZE]; /* of a server: makes the keys that nobody has */
};

struct tls {
    mbedtls_ssl_context ssl;
    const struct tls_config *config;
    int fd;
    int io_error;      /* errno of the last failed send or recv */
    unsigned receives; /* in this call */
    size_t received;   /* during the handshake */
    bool shaken;       /* it is over */
    size_t unflushed;  /* bytes of a write that the socket did not take whole */
    bool known;        /* there is a key for the identity */
    bool stranger;     /* it is TLS_STRANGER */
    unsigned nth;      /* the key that is tried, of those of the identity */
    bool mismatched;   /* it is not the peer's: nothing was said about that yet */
    bool whole;        /* all that came is still in `ahead` */
    bool spoke;        /* a byte went out; the next two say of what */
    bool proven;       /* of a server's peer: tls_peer_is_proven() */
    uint8_t alert;     /* that ended the handshake before anything else was said, or 0 */
    char identity[GATEWAY_NAME_MAX + 1];
    /*
     * mbedTLS asks for a record's header and then for the rest: one recv(2) brings both. As long as
     * the first flight fits, it stays here from its beginning.
     */
    size_t ahead_at, ahead_len;
    uint8_t ahead[AHEAD_SIZE];
};

/* ---- configuration -------------------------------------------------------- */

static int random_for_tls(void *arg, unsigned char *buf, size_t len)
{
    (void)arg;
    return crypto_random(buf, len) < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : 0;
}

static bool is_name(const unsigned char *identity, size_t len, char name[GATEWAY_NAME_MAX + 1])
{
    if (len > GATEWAY_NAME_MAX || memchr(identity, 0, len)) {
        return false;
    }
    memcpy(name, identity, len);
    name[len] = '\0';
    return gateway_name_is_valid(name);
}

static bool is_stranger(const unsigned char *identity, size_t len)
{
    return len == sizeof TLS_STRANGER - 1 && memcmp(identity, TLS_STRANGER, len) == 0;
}

/*
 * mbedTLS asks for the key of an identity that a client offers. For one that is not
 * known it gets a key that nobody has, always the same for the same identity, so that
 * the binder is what fails, as with a wrong key: names cannot be told from each other.
 */
static int find_key(void *arg, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len)
{
    const struct tls_config *config = arg;
    struct tls *tls = mbedtls_ssl_get_user_data_p(ssl);
    const struct crypto_piece piece = {identity, len};
    uint8_t key[CRYPTO_KEY_SIZE];
    if (crypto_mac(config->secret, &piece, 1, key) < 0) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    tls->stranger = is_stranger(identity, len);
    if (tls->stranger) {
        memcpy(tls->identity, TLS_STRANGER, sizeof TLS_STRANGER);
    } else if (!is_name(identity, len, tls->identity)) {
        tls->identity[0] = '\0';
    }
    bool has = tls->identity[0] &&
               config->key_of(config->arg, tls->fd, tls->identity, tls->nth, key) == 0;
    tls->known = tls->known || has;
    int err = mbedtls_ssl_set_hs_psk(ssl, key, sizeof key);
    crypto_wipe(key, sizeof key);
    return err;
}

static int config_new(int endpoint, struct tls_config **ret_config)
{
    if (psa_crypto_init() != PSA_SUCCESS) {
        return -EIO;
    }
    struct tls_config *config = calloc(1, sizeof *config);
    if (!config) {
        return -ENOMEM;
    }
    mbedtls_ssl_config *ssl = &config->ssl;
    mbedtls_ssl_config_init(ssl);
    if (mbedtls_ssl_config_defaults(ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        tls_config_free(config);
        return -ENOMEM;
    }
    mbedtls_ssl_conf_rng(ssl, random_for_tls, NULL);
    mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_max_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_tls13_key_exchange_modes(ssl,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
    mbedtls_ssl_conf_ciphersuites(ssl, CIPHER_SUITES);
    mbedtls_ssl_conf_groups(ssl, GROUPS);
    *ret_config = config;
    return 0;
}

int tls_config_server(tls_key_fn key_of, void *arg, struct tls_config **ret_config)
{
    struct tls_config *config;
    int err = config_new(MBEDTLS_SSL_IS_SERVER, &config);
    if (err < 0) {
        return err;
    }
    config->key_of = key_of;
    config->arg = arg;
    if (crypto_random(config->secret, sizeof config->secret) < 0) {
        tls_config_free(config);
        return -EIO;
    }
    mbedtls_ssl_conf_psk_cb(&config->ssl, find_key, config);
    *ret_config = config;
    return 0;
}

int tls_config_client(const char *identity, const uint8_t key[CRYPTO_KEY_SIZE],
                      struct tls_config **ret_config)
{
    struct tls_config *config;
    int err = config_new(MBEDTLS_SSL_IS_CLIENT, &config);
    if (err < 0) {
        return err;
    }
    if (mbedtls_ssl_conf_psk(&config->ssl, key, CRYPTO_KEY_SIZE, (const unsigned char *)identity,
                             strlen(identity)) != 0) {
        tls_config_free(config);
        return -ENOMEM;
    }
    *ret_config = config;
    return 0;
}

void tls_config_free(struct tls_config *config)
{
    if (config) {
        mbedtls_ssl_config_free(&config->ssl);
        crypto_wipe(config->secret, sizeof config->secret);
        free(config);
    }
}

void tls_library_free(void)
{
    mbedtls_psa_crypto_free();
}

/* ---- one connection ------------------------------------------------------- */

/*
 * What a server says first: a handshake record (a ServerHello, or a request for
 * another ClientHello) only to a client whose binder was right, else an alert.
 */
static void note_first_record(struct tls *tls, const unsigned char *record, size_t len)
{
    if (!tls->spoke && len > 0) {
        tls->spoke = true;
        tls->proven = record[0] == MBEDTLS_SSL_MSG_HANDSHAKE;
        tls->alert = record[0] == MBEDTLS_SSL_MSG_ALERT && len >= ALERT_SIZE
                         ? record[ALERT_SIZE - 1]
                         : 0;
    }
}

/* The first thing to be said is that the binder is wrong, and another key is to be tried. */
static bool is_mismatch(const struct tls *tls, const unsigned char *record, size_t len)
{
    return tls->config->key_of && !tls->spoke && tls->whole && tls->nth + 1 < TLS_KEYS_PER_NAME &&
           len >= ALERT_SIZE && record[0] == MBEDTLS_SSL_MSG_ALERT &&
           record[ALERT_SIZE - 1] == MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR;
}

static int send_bytes(void *arg, const unsigned char *buf, size_t len)
{
    struct tls *tls = arg;
    if (is_mismatch(tls, buf, len)) {
        tls->mismatched = true;
        return (int)len;
    }
    note_first_record(tls, buf, len);
    ssize_t sent = send(tls->fd, buf, len, MSG_NOSIGNAL);
    if (sent >= 0) {
        return (int)sent;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    tls->io_error = errno;
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* How many bytes came, 0: no more will, or what mbedTLS calls the reason for none. */
static int read_ahead(struct tls *tls)
{
    size_t kept = tls->whole && !tls->spoke && tls->ahead_len < sizeof tls->ahead ? tls->ahead_len
                                                                                  : 0;
    ssize_t got = recv(tls->fd, tls->ahead + kept, sizeof tls->ahead - kept, 0);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return MBEDTLS_ERR_SSL_WANT_READ;
        }
        tls->io_error = errno;
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    if (!tls->shaken) {
        tls->received += (size_t)got;
        if (tls->received > HANDSHAKE_BYTES_MAX) {
            return MBEDTLS_ERR_SSL_INVALID_RECORD;
        }
    }
    tls->whole = tls->whole && kept == tls->ahead_len;
    tls->ahead_at = kept;
    tls->ahead_len = kept + (size_t)got;
    return (int)got;
}

static int receive_bytes(void *arg, unsigned char *buf, size_t len)
{
    struct tls *tls = arg;
    if (tls->receives++ >= RECEIVES_PER_CALL) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    int got = tls->ahead_at < tls->ahead_len ? 1 : read_ahead(tls);
    if (got <= 0) {
        return got;
    }
    size_t here = tls->ahead_len - tls->ahead_at;
    size_t taken = len < here ? len : here;
    memcpy(buf, tls->ahead + tls->ahead_at, taken);
    tls->ahead_at += taken;
    return (int)taken;
}

int tls_new(struct tls_config *config, int fd, struct tls **ret_tls)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls) {
        return -ENOMEM;
    }
    tls->config = config;
    tls->fd = fd;
    tls->whole = true;
    mbedtls_ssl_init(&tls->ssl);
    if (mbedtls_ssl_setup(&tls->ssl, &config->ssl) != 0) {
        tls_free(tls);
        return -ENOMEM;
    }
    mbedtls_ssl_set_user_data_p(&tls->ssl, tls);
    mbedtls_ssl_set_bio(&tls->ssl, tls, send_bytes, receive_bytes, NULL);
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (tls) {
        mbedtls_ssl_free(&tls->ssl);
        free(tls);
    }
}

bool tls_peer_is_proven(const struct tls *tls)
{
    return tls->config->key_of && tls->proven && !tls->stranger;
}

bool tls_peer_is_stranger(const struct tls *tls)
{
    return tls->stranger;
}

const char *tls_identity(const struct tls *tls)
{
    return tls->identity;
}

unsigned tls_key_number(const struct tls *tls)
{
    return tls->nth;
}

/* What mbedTLS returned, in this project's terms. */
static int result(struct tls *tls, int ret)
{
    switch (ret) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
        return TLS_WANT_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return TLS_WANT_WRITE;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return -ENOMEM;
    default:
        return tls->io_error ? -tls->io_error : -EPROTO;
    }
}

/* A binder that is wrong is answered with decrypt_error, and nothing else is. */
static bool lacks_algorithms(const struct tls *tls, int ret)
{
    return tls->config->key_of && !tls->proven && ret == MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE &&
           tls->alert != MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR;
}

/*
 * Why a handshake failed, as far as the other side's key is concerned. A peer
 * that just hangs up or does not speak TLS is not one that holds a wrong key.
 */
static int handshake_failure(struct tls *tls, int ret, struct why *why)
{
    switch (ret) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return why_set(why, -EACCES, "the other side does not accept this key or name");
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
    case MBEDTLS_ERR_SSL_INVALID_MAC:
    case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
        if (lacks_algorithms(tls, ret)) {
            return why_set(why, -EPROTO,
                           "it can do none of our cipher suites, or none of our groups");
        }
        if (tls->stranger) {
            return why_set(why, -EACCES, "it wants to be paired, and too many do");
        }
        if (tls->known) {
            return why_set(why, -EACCES, "\"%s\" does not hold the right key", tls->identity);
        }
        if (tls->identity[0]) {
            return why_set(why, -EACCES, "unknown gateway name \"%s\"", tls->identity);
        }
        return why_set(why, -EACCES, "no key in common");
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return why_set(why, -ECONNRESET, "hung up during the handshake");
    default:
        if (tls->io_error) {
            return why_set(why, -tls->io_error, "%s", strerror(tls->io_error));
        }
        return why_set(why, -EPROTO, "not a TLS 1.3 handshake with a pre-shared key (-0x%04x)",
                       (unsigned)-ret);
    }
}

/* From the beginning, with the bytes that came. Before anything was said, so nobody notices. */
static int try_other_key(struct tls *tls)
{
    int ret = mbedtls_ssl_session_reset(&tls->ssl);
    tls->mismatched = false;
    tls->nth++;
    tls->ahead_at = 0;
    return ret < 0 ? ret : mbedtls_ssl_handshake(&tls->ssl);
}

int tls_handshake(struct tls *tls, struct why *why)
{
    tls->receives = 0;
    int ret = mbedtls_ssl_handshake(&tls->ssl);
    if (tls->mismatched) {
        ret = try_other_key(tls);
    }
    if (ret == 0) {
        tls->shaken = true;
        return 0;
    }
    int err = result(tls, ret);
    return err == TLS_WANT_READ || err == TLS_WANT_WRITE ? err : handshake_failure(tls, ret, why);
}

long tls_read(struct tls *tls, void *buf, size_t len)
{
    tls->receives = 0;
    int ret = mbedtls_ssl_read(&tls->ssl, buf, len);
    if (ret >= 0) {
        return ret;
    }
    /* An end without close_notify is the same to us: frames know whether they are whole. */
    bool ended = ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || ret == MBEDTLS_ERR_SSL_CONN_EOF;
    return ended ? 0 : result(tls, ret);
}

bool tls_holds_bytes(const struct tls *tls)
{
    return tls->ahead_at < tls->ahead_len || mbedtls_ssl_check_pending(&tls->ssl);
}

long tls_write(struct tls *tls, const void *buf, size_t len)
{
    /* mbedTLS finishes the record it has begun and reports the length it is given. */
    int ret = mbedtls_ssl_write(&tls->ssl, buf, tls->unflushed ? tls->unflushed : len);
    if (ret == MBEDTLS_ERR_SSL_WANT_WRITE) {
        tls->unflushed = tls->unflushed ? tls->unflushed : len;
    } else {
        tls->unflushed = 0;
    }
    return ret >= 0 ? ret : result(tls, ret);
}

void tls_close_notify(struct tls *tls)
{
    mbedtls_ssl_close_notify(&tls->ssl);
}
