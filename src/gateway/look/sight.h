/*
 * sight: what a target shows of itself before anybody logs in, by which it can be told from
 * others: an SSH server's host key, or the certificate of Remote Desktop.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_SIGHT_H
#define PAMTUNNEL_GATEWAY_LOOK_SIGHT_H

#include <stddef.h>
#include <stdint.h>

enum {
    SIGHT_IDENTITY_SIZE = 32,
    SIGHT_SHA1_SIZE = 20,
    SIGHT_HOST_KEY_MAX = 750, /* an RSA key of 4096 bits has 724 */
    SIGHT_TEXT_MAX = 7 + 44,  /* "SHA256:", the digits and a NUL */
};

struct sight {
    uint8_t identity[SIGHT_IDENTITY_SIZE]; /* SHA-256 of the key's blob, or of the certificate */
    char host_key[SIGHT_HOST_KEY_MAX + 1]; /* "TYPE BASE64"; empty: it is a certificate */
    unsigned host_keys;                    /* types that it has (host_key.h) */
    uint8_t certificate_sha1[SIGHT_SHA1_SIZE];
    uint64_t certificate_from, certificate_until; /* Unix time */
};

/* "SHA256:…" as ssh-keygen -l has it: base64 without padding. Returns dst (SIGHT_TEXT_MAX). */
char *sight_text(const uint8_t identity[SIGHT_IDENTITY_SIZE], char *dst);

/*
 * Takes over an SSH host key, in the encoding of RFC 4253, 6.6. 0; -EBADMSG if it is none of a type
 * that is asked for, -EMSGSIZE if it is too long to be told, or -EIO.
 */
int sight_of_host_key(const uint8_t *blob, size_t len, struct sight *ret_sight);

/* Takes over a certificate. 0 or -EIO. */
struct mbedtls_x509_crt;
int sight_of_certificate(const struct mbedtls_x509_crt *certificate, struct sight *ret_sight);

#endif
