#include "gateway/look/sight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mbedtls/base64.h>
#include <mbedtls/sha1.h>
#include <mbedtls/x509_crt.h>

#include "base/bytes.h"
#include "base/crypto.h"

/* Of the keys that host_key.c asks for. A line of these and base64 is no danger to any shell. */
static const char *const HOST_KEY_TYPES[] = {
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
};

char *sight_text(const uint8_t identity[SIGHT_IDENTITY_SIZE], char *dst)
{
    unsigned char digits[SIGHT_TEXT_MAX];
    size_t len = 0;
    mbedtls_base64_encode(digits, sizeof digits, &len, identity, SIGHT_IDENTITY_SIZE);
    snprintf(dst, SIGHT_TEXT_MAX, "SHA256:%.43s", (const char *)digits);
    return dst;
}

/* NULL: of none of them. */
static const char *type_of(const uint8_t *blob, size_t len)
{
    struct reader reader = reader_over(blob, len);
    uint32_t type_len = read_u32(&reader);
    const uint8_t *type = read_bytes(&reader, type_len);
    for (size_t i = 0; type && i < sizeof HOST_KEY_TYPES / sizeof *HOST_KEY_TYPES; i++) {
        if (strlen(HOST_KEY_TYPES[i]) == type_len &&
            memcmp(type, HOST_KEY_TYPES[i], type_len) == 0) {
            return reader.left > 0 ? HOST_KEY_TYPES[i] : NULL;
        }
    }
    return NULL;
}

int sight_of_host_key(const uint8_t *blob, size_t len, struct sight *ret_sight)
{
    struct sight sight = {0};
    const struct crypto_piece piece = {blob, len};
    const char *type = type_of(blob, len);
    if (!type) {
        return -EBADMSG;
    }
    size_t used = (size_t)snprintf(sight.host_key, sizeof sight.host_key, "%s ", type);
    size_t digits = 0;
    if (mbedtls_base64_encode((unsigned char *)sight.host_key + used, sizeof sight.host_key - used,
                              &digits, blob, len) != 0) {
        return -EMSGSIZE;
    }
    int err = crypto_hash(&piece, 1, sight.identity);
    if (err == 0) {
        *ret_sight = sight;
    }
    return err;
}

/* A certificate's times are of UTC. Before 1970 as 0. */
static uint64_t unix_time(const mbedtls_x509_time *when)
{
    struct tm tm = {
        .tm_year = when->year - 1900,
        .tm_mon = when->mon - 1,
        .tm_mday = when->day,
        .tm_hour = when->hour,
        .tm_min = when->min,
        .tm_sec = when->sec,
    };
    time_t seconds = timegm(&tm);
    return seconds > 0 ? (uint64_t)seconds : 0;
}

int sight_of_certificate(const struct mbedtls_x509_crt *certificate, struct sight *ret_sight)
{
    struct sight sight = {
        .certificate_from = unix_time(&certificate->valid_from),
        .certificate_until = unix_time(&certificate->valid_to),
    };
    const struct crypto_piece der = {certificate->raw.p, certificate->raw.len};
    if (crypto_hash(&der, 1, sight.identity) < 0 ||
        mbedtls_sha1(der.data, der.len, sight.certificate_sha1) != 0) {
        return -EIO;
    }
    *ret_sight = sight;
    return 0;
}
