/*
 * identity: who a target is, by what it shows to whoever connects: an SSH server its host key
 * (RFC 4253, 8), Remote Desktop the certificate of its TLS. It comes from a gateway, which may be
 * in other hands, and ends up in commands that people paste: nothing is in it that means anything
 * to a shell.
 */
#ifndef PAMTUNNEL_VPS_GRANT_IDENTITY_H
#define PAMTUNNEL_VPS_GRANT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"

enum {
    IDENTITY_KEY_MAX = 750, /* "ssh-rsa AAAA…" of 4096 bits has 724 */
    IDENTITY_SHA1_SIZE = 20,
    IDENTITY_TEXT_MAX = 2 * CRYPTO_HASH_SIZE + 1,
};

struct identity {
    uint8_t sha256[CRYPTO_HASH_SIZE]; /* of the key's blob, or of the certificate in DER */
    uint8_t sha1[IDENTITY_SHA1_SIZE]; /* of a certificate, as Windows shows it */
    int64_t from, until;              /* of a certificate, Unix time */
    char *key;                        /* "TYPE BASE64" as in known_hosts; NULL: a certificate */
};

/*
 * Takes a host key as known_hosts has it. -EINVAL for anything else, and for one whose blob is of
 * another type than it says; -ENOMEM.
 */
int identity_of_key(const char *key, struct identity *ret_identity);
/*
 * The SHA-256 of a host key that somebody has written down: "SHA256:…" as ssh-keygen -l tells it,
 * or the key itself as it stands in a .pub file. -EINVAL.
 */
int identity_parse_host_key(const char *text, uint8_t ret_sha256[CRYPTO_HASH_SIZE]);
/* Of a certificate: 64 hex digits, with colons between two of them or without. -EINVAL. */
int identity_parse_certificate(const char *text, uint8_t ret_sha256[CRYPTO_HASH_SIZE]);
/* 0 or -ENOMEM. */
int identity_copy(const struct identity *from, struct identity *ret_identity);
/* Frees what it holds; it may be used again. */
void identity_done(struct identity *identity);

bool identity_equal(const struct identity *a, const struct identity *b);
/*
 * A key as ssh-keygen -l has it, "SHA256:…"; a certificate's SHA-256 in hex. Returns dst
 * (IDENTITY_TEXT_MAX).
 */
char *identity_text(const struct identity *identity, char *dst);
/* The same of a SHA-256 alone. */
char *identity_hash_text(const uint8_t sha256[CRYPTO_HASH_SIZE], bool of_certificate, char *dst);
/* "ED25519", "RSA", "ECDSA"; "" of a certificate. */
const char *identity_algorithm(const struct identity *identity);
/*
 * A certificate that Windows made anew because the old one was about to end, or had ended: it
 * begins when the old one had at most 15 days left, and a quarter of its time, as seen at now (Unix
 * time).
 */
bool identity_is_renewal(const struct identity *before, const struct identity *after, int64_t now);

#endif
