#include "base/crypto.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>

int crypto_random(void *buf, size_t len)
{
    uint8_t *at = buf;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0) {
            /* Early in the boot, or beyond 256 bytes (getrandom(2)). */
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

int crypto_random_library(void *arg, unsigned char *buf, size_t len)
{
    (void)arg;
    return crypto_random(buf, len) < 0 ? MBEDTLS_ERR_ENTROPY_SOURCE_FAILED : 0;
}

int crypto_random_below(uint32_t bound, uint32_t *ret_value)
{
    /* Values from the incomplete last run of `bound` would favour small results. */
    uint32_t limit = UINT32_MAX - UINT32_MAX % bound;
    uint32_t value;
    do {
        int err = crypto_random(&value, sizeof value);
        if (err < 0) {
            return err;
        }
    } while (value >= limit);
    *ret_value = value % bound;
    return 0;
}

int crypto_random_name(char *dst, size_t len)
{
    static const char ALPHABET[32] = "abcdefghijkmnpqrstuvwxyz23456789";
    int err = crypto_random(dst, len);
    if (err < 0) {
        return err;
    }
    /* 256 is a multiple of 32, so no letter is more likely than another. */
    for (size_t i = 0; i < len; i++) {
        dst[i] = ALPHABET[(unsigned char)dst[i] % sizeof ALPHABET];
    }
    dst[len] = '\0';
    return 0;
}

int crypto_mac(const uint8_t key[CRYPTO_KEY_SIZE], const struct crypto_piece *pieces, size_t count,
               uint8_t ret_mac[CRYPTO_MAC_SIZE])
{
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    /* No lengths in between: callers use pieces of a fixed length, so that none can be shifted. */
    int failed = mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) ||
                 mbedtls_md_hmac_starts(&md, key, CRYPTO_KEY_SIZE);
    for (size_t i = 0; !failed && i < count; i++) {
        failed = mbedtls_md_hmac_update(&md, pieces[i].data, pieces[i].len);
    }
    failed = failed || mbedtls_md_hmac_finish(&md, ret_mac);
    mbedtls_md_free(&md);
    return failed ? -EIO : 0;
}

int crypto_hash(const struct crypto_piece *pieces, size_t count, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    mbedtls_sha256_context sha;
    mbedtls_sha256_init(&sha);
    int failed = mbedtls_sha256_starts(&sha, 0);
    for (size_t i = 0; !failed && i < count; i++) {
        failed = mbedtls_sha256_update(&sha, pieces[i].data, pieces[i].len);
    }
    failed = failed || mbedtls_sha256_finish(&sha, ret_hash);
    mbedtls_sha256_free(&sha);
    return failed ? -EIO : 0;
}

/* The library has the key until psa_destroy_key(); ours are short-lived, and kept as bytes. */
static int import_secret(const uint8_t secret[CRYPTO_SHARE_SIZE], psa_key_id_t *ret_key)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY));
    psa_set_key_bits(&attributes, 255);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
    /* Costs nothing if it was called before. */
    bool failed = psa_crypto_init() != PSA_SUCCESS ||
                  psa_import_key(&attributes, secret, CRYPTO_SHARE_SIZE, ret_key) != PSA_SUCCESS;
    return failed ? -EIO : 0;
}

int crypto_share_new(uint8_t ret_secret[CRYPTO_SHARE_SIZE], uint8_t ret_share[CRYPTO_SHARE_SIZE])
{
    psa_key_id_t key;
    size_t len;
    int err = crypto_random(ret_secret, CRYPTO_SHARE_SIZE);
    err = err < 0 ? err : import_secret(ret_secret, &key);
    if (err < 0) {
        return err;
    }
    psa_status_t status = psa_export_public_key(key, ret_share, CRYPTO_SHARE_SIZE, &len);
    psa_destroy_key(key);
    return status == PSA_SUCCESS && len == CRYPTO_SHARE_SIZE ? 0 : -EIO;
}

int crypto_agree(const uint8_t secret[CRYPTO_SHARE_SIZE], const uint8_t share[CRYPTO_SHARE_SIZE],
                 uint8_t ret_agreed[CRYPTO_SHARE_SIZE])
{
    psa_key_id_t key;
    size_t len;
    int err = import_secret(secret, &key);
    if (err < 0) {
        return err;
    }
    psa_status_t status = psa_raw_key_agreement(PSA_ALG_ECDH, key, share, CRYPTO_SHARE_SIZE,
                                                ret_agreed, CRYPTO_SHARE_SIZE, &len);
    psa_destroy_key(key);
    return status == PSA_SUCCESS && len == CRYPTO_SHARE_SIZE ? 0 : -EPROTO;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return mbedtls_ct_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *buf, size_t len)
{
    /* memset(3) before free(3) is dead code to an optimiser. */
    mbedtls_platform_zeroize(buf, len);
}

void crypto_hex(const void *data, size_t len, char *dst)
{
    static const char DIGITS[16] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        *dst++ = DIGITS[bytes[i] >> 4];
        *dst++ = DIGITS[bytes[i] & 15];
    }
    *dst = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int crypto_unhex(const char *text, void *dst, size_t len)
{
    uint8_t *bytes = dst;
    if (strlen(text) != 2 * len) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return -EINVAL;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
