/*
 * crypto: the few primitives that the project uses, on mbedTLS and the kernel's
 * random numbers. 0 or a negative errno value.
 */
#ifndef PAMTUNNEL_BASE_CRYPTO_H
#define PAMTUNNEL_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CRYPTO_MAC_SIZE = 32,
    CRYPTO_KEY_SIZE = 32,
    CRYPTO_HASH_SIZE = 32,
    CRYPTO_SHARE_SIZE = 32,
};

/* Fills buf from the kernel's CSPRNG (getrandom(2)). -errno if it has none. */
int crypto_random(void *buf, size_t len);
/* The same, as Mbed TLS asks for it: 0, or one of its errors. */
int crypto_random_library(void *arg, unsigned char *buf, size_t len);
/* A uniform number in [0, bound), bound > 0. */
int crypto_random_below(uint32_t bound, uint32_t *ret_value);
/*
 * len characters of a random name without look-alikes (a-z and 2-9 without l
 * and o: 5 bits each), and a NUL.
 */
int crypto_random_name(char *dst, size_t len);

/* HMAC-SHA-256 (RFC 2104) of the concatenation of count pieces. */
struct crypto_piece {
    const void *data;
    size_t len;
};
int crypto_mac(const uint8_t key[CRYPTO_KEY_SIZE], const struct crypto_piece *pieces, size_t count,
               uint8_t ret_mac[CRYPTO_MAC_SIZE]);

/* SHA-256 (FIPS 180-4) of the concatenation of count pieces. */
int crypto_hash(const struct crypto_piece *pieces, size_t count,
                uint8_t ret_hash[CRYPTO_HASH_SIZE]);

/*
 * X25519 (RFC 7748): a fresh secret and the share that the other side is told, and what two
 * sides come to who have each other's. That is not yet a key: derive keys from it. -EPROTO if
 * the other's share is one of the few that make the same of every secret.
 */
int crypto_share_new(uint8_t ret_secret[CRYPTO_SHARE_SIZE], uint8_t ret_share[CRYPTO_SHARE_SIZE]);
int crypto_agree(const uint8_t secret[CRYPTO_SHARE_SIZE], const uint8_t share[CRYPTO_SHARE_SIZE],
                 uint8_t ret_agreed[CRYPTO_SHARE_SIZE]);

/* Compares in a time that depends only on len. */
bool crypto_equal(const void *a, const void *b, size_t len);
/* Overwrites a secret in a way that the compiler cannot remove. */
void crypto_wipe(void *buf, size_t len);

/* Lower-case hex; dst takes 2 * len + 1 bytes. */
void crypto_hex(const void *data, size_t len, char *dst);
/* Reads exactly len bytes of hex (either case). -EINVAL if it is anything else. */
int crypto_unhex(const char *text, void *dst, size_t len);

#endif
