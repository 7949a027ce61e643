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

char *identity_text(const struct identity *identity, char *dst)
{
    static const char PREFIX[] = "SHA256:";
    unsigned char digits[48];
    size_t len = 0;
    if (!identity->key) {
        crypto_hex(identity->sha256, sizeof identity->sha256, dst);
        return dst;
    }
    mbedtls_base64_encode(digits, sizeof digits, &len, identity->sha256, sizeof identity->sha256);
    len = strcspn((const char *)digits, "="); /* as OpenSSH shows it */
    snprintf(dst, IDENTITY_TEXT_MAX, "%s%.*s", PREFIX, (int)len, (const char *)digits);
    return dst;
}

const char *identity_algorithm(const struct identity *identity)
{
    int type = identity->key ? type_of(identity->key) : -EINVAL;
    return type < 0 ? "" : TYPES[type].algorithm;
}

bool identity_is_renewal(const struct identity *old, const struct identity *new, int64_t now)
{
    return !old->key && !new->key && old->until != 0 &&
           new->from >= old->until - RENEWED_BEFORE_S &&new->from <=
               now + CLOCKS_DIFFER_S &&new->until > old->until;
}
