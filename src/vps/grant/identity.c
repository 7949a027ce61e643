#include "vps/grant/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/base64.h>

#include "base/bytes.h"

enum {
    DAY_S = 24 * 3600,
    /* Windows makes the next one when it is asked for one after that; a clock may be wrong. */
    RENEWED_BEFORE_S = 15 * DAY_S,
    CLOCKS_DIFFER_S = DAY_S,
};

static const char PREFIX[] = "SHA256:";
enum { FINGERPRINT_DIGITS = 43 };

static const struct {
    const char *type, *algorithm;
} TYPES[] = {
    {"ssh-ed25519", "ED25519"},       {"ssh-rsa", "RSA"},
    {"ecdsa-sha2-nistp256", "ECDSA"}, {"ecdsa-sha2-nistp384", "ECDSA"},
    {"ecdsa-sha2-nistp521", "ECDSA"},
};

/* Its number, or -EINVAL. The blank ends it. */
static int type_of(const char *key)
{
    for (unsigned i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        size_t len = strlen(TYPES[i].type);
        if (strncmp(key, TYPES[i].type, len) == 0 && key[len] == ' ') {
            return (int)i;
        }
    }
    return -EINVAL;
}

/* mbedTLS overlooks blanks and line ends, which would end a command. */
static bool is_base64(const char *text)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strspn(text, DIGITS);
    return len > 0 && strspn(text + len, "=") <= 2 && text[len + strspn(text + len, "=")] == '\0';
}

/* A blob begins with its type, as a string (RFC 4253, 6.6). */
static bool says_type(const uint8_t *blob, size_t len, const char *type)
{
    struct reader r = reader_over(blob, len);
    return read_u32(&r) == strlen(type) && r.left > strlen(type) &&
           memcmp(blob + 4, type, strlen(type)) == 0;
}

int identity_of_key(const char *key, struct identity *ret_identity)
{
    uint8_t blob[IDENTITY_KEY_MAX];
    size_t len = 0, key_len = strlen(key);
    int type = type_of(key);
    if (type < 0 || key_len > IDENTITY_KEY_MAX) {
        return -EINVAL;
    }
    const char *digits = strchr(key, ' ') + 1;
    if (!is_base64(digits) ||
        mbedtls_base64_decode(blob, sizeof blob, &len, (const unsigned char *)digits,
                              strlen(digits)) != 0 ||
        !says_type(blob, len, TYPES[type].type)) {
        return -EINVAL;
    }
    struct identity identity = {.key = strdup(key)};
    if (!identity.key || crypto_hash(&(struct crypto_piece){blob, len}, 1, identity.sha256) < 0) {
        free(identity.key);
        return -ENOMEM;
    }
    *ret_identity = identity;
    return 0;
}

static int parse_fingerprint(const char *digits, uint8_t ret_sha256[CRYPTO_HASH_SIZE])
{
    char padded[FINGERPRINT_DIGITS + 2]; /* with a "=", as base64 wants it */
    uint8_t hash[CRYPTO_HASH_SIZE];
    size_t len = 0;
    snprintf(padded, sizeof padded, "%.*s=", FINGERPRINT_DIGITS, digits);
    if (strcspn(digits, "=") != FINGERPRINT_DIGITS || !is_base64(digits) ||
        mbedtls_base64_decode(hash, sizeof hash, &len, (const unsigned char *)padded,
                              strlen(padded)) != 0 ||
        len != sizeof hash) {
        return -EINVAL;
    }
    memcpy(ret_sha256, hash, sizeof hash);
    return 0;
}

int identity_parse_host_key(const char *text, uint8_t ret_sha256[CRYPTO_HASH_SIZE])
{
    char key[IDENTITY_KEY_MAX + 1];
    struct identity identity;
    if (strncmp(text, PREFIX, strlen(PREFIX)) == 0) {
        return parse_fingerprint(text + strlen(PREFIX), ret_sha256);
    }
    size_t type_len = strcspn(text, " ");
    size_t len = type_len + (text[type_len] ? 1 + strcspn(text + type_len + 1, " ") : 0);
    if (len >= sizeof key) {
        return -EINVAL;
    }
    snprintf(key, sizeof key, "%.*s", (int)len, text); /* without its comment */
    int err = identity_of_key(key, &identity);
    if (err == 0) {
        memcpy(ret_sha256, identity.sha256, sizeof identity.sha256);
        identity_done(&identity);
    }
    return err;
}

int identity_parse_certificate(const char *text, uint8_t ret_sha256[CRYPTO_HASH_SIZE])
{
    char digits[2 * CRYPTO_HASH_SIZE + 2];
    size_t len = 0;
    for (size_t i = 0; text[i] && len < sizeof digits - 1; i++) {
        bool between = text[i] == ':' && i % 3 == 2;
        if (!between) {
            digits[len++] = text[i];
        }
    }
    digits[len] = '\0';
    return crypto_unhex(digits, ret_sha256, CRYPTO_HASH_SIZE);
}

int identity_copy(const struct identity *from, struct identity *ret_identity)
{
    struct identity identity = *from;
    identity.key = from->key ? strdup(from->key) : NULL;
    if (from->key && !identity.key) {
        return -ENOMEM;
    }
    *ret_identity = identity;
    return 0;
}

void identity_done(struct identity *identity)
{
    free(identity->key);
    *identity = (struct identity){0};
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return !a->key == !b->key && memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

char *identity_hash_text(const uint8_t sha256[CRYPTO_HASH_SIZE], bool of_certificate, char *dst)
{
    unsigned char digits[48];
    size_t len = 0;
    if (of_certificate) {
        crypto_hex(sha256, CRYPTO_HASH_SIZE, dst);
        return dst;
    }
    mbedtls_base64_encode(digits, sizeof digits, &len, sha256, CRYPTO_HASH_SIZE);
    len = strcspn((const char *)digits, "="); /* as OpenSSH shows it */
    snprintf(dst, IDENTITY_TEXT_MAX, "%s%.*s", PREFIX, (int)len, (const char *)digits);
    return dst;
}

char *identity_text(const struct identity *identity, char *dst)
{
    return identity_hash_text(identity->sha256, !identity->key, dst);
}

const char *identity_algorithm(const struct identity *identity)
{
    int type = identity->key ? type_of(identity->key) : -EINVAL;
    return type < 0 ? "" : TYPES[type].algorithm;
}

/* Of one that lives for a few days, fifteen would be all of its time. */
static int64_t renewed_before_s(const struct identity *old)
{
    int64_t quarter = old->until > old->from ? (old->until - old->from) / 4 : 0;
    return quarter < RENEWED_BEFORE_S ? quarter : RENEWED_BEFORE_S;
}

bool identity_is_renewal(const struct identity *before, const struct identity *after, int64_t now)
{
    bool begins_then = after->from >= before->until - renewed_before_s(before) &&
                       after->from <= now + CLOCKS_DIFFER_S;
    return !before->key && !after->key && before->until != 0 && begins_then &&
           after->until > before->until;
}
