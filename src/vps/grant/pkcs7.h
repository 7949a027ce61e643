/* pkcs7: writes SignedData (RFC 2315) around a signature, without what was signed. */
#ifndef PAMTUNNEL_VPS_GRANT_PKCS7_H
#define PAMTUNNEL_VPS_GRANT_PKCS7_H

#include <stdbool.h>

#include <mbedtls/x509_crt.h>

#include "base/crypto.h"
#include "base/der.h"

/* Certificates that go along at most; those behind them are left out. */
enum { PKCS7_CHAIN_MAX = 6 };

/*
 * chain: the signer's own certificate, then those that lead to its authority. The signature is of
 * a SHA-256, by RSA (PKCS #1 v1.5) or else ECDSA, with no attributes. der->full if it does not fit.
 */
void pkcs7_put(struct der *der, const mbedtls_x509_crt *chain, bool by_rsa,
               const struct crypto_piece *signature);

#endif
