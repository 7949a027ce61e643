/*
 * The library has no writer for PKCS #7, and none is needed: all of it but the signature are
 * constants and pieces of the certificate as they stand there.
 */
#include "vps/grant/pkcs7.h"

/* AlgorithmIdentifiers and the like, whole. */
static const uint8_t SHA256[] = {0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0};
static const uint8_t RSA[] = {0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0};
static const uint8_t ECDSA_SHA256[] = {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
static const uint8_t OF_DATA[] = {0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1};
static const uint8_t OF_SIGNED_DATA[] = {6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2};
static const uint8_t VERSION_1[] = {2, 1, 1};

/* SignerInfo: who signed, by issuer and number, and the signature. */
static void put_signer(struct der *der, const mbedtls_x509_crt *leaf, bool by_rsa,
                       const struct crypto_piece *signature)
{
    const uint8_t *all = der_here(der);
    der_put(der, signature->data, signature->len);
    der_head(der, DER_OCTETS, all);
    if (by_rsa) {
        der_put(der, RSA, sizeof RSA);
    } else {
        der_put(der, ECDSA_SHA256, sizeof ECDSA_SHA256);
    }
    der_put(der, SHA256, sizeof SHA256);
    const uint8_t *who = der_here(der);
    der_put(der, leaf->serial.p, leaf->serial.len);
    der_head(der, DER_INTEGER, who);
    der_put(der, leaf->issuer_raw.p, leaf->issuer_raw.len);
    der_head(der, DER_SEQUENCE, who);
    der_put(der, VERSION_1, sizeof VERSION_1);
    der_head(der, DER_SEQUENCE, all);
}

static void put_chain(struct der *der, const mbedtls_x509_crt *leaf)
{
    const mbedtls_x509_crt *chain[PKCS7_CHAIN_MAX];
    const uint8_t *end = der_here(der);
    unsigned count = 0;
    for (const mbedtls_x509_crt *one = leaf; one && count < PKCS7_CHAIN_MAX; one = one->next) {
        chain[count++] = one;
    }
    while (count-- > 0) {
        der_put(der, chain[count]->raw.p, chain[count]->raw.len);
    }
    der_head(der, DER_CONTEXT_0, end);
}

/* ContentInfo of SignedData; each part ends where the one behind it begins. */
void pkcs7_put(struct der *der, const mbedtls_x509_crt *chain, bool by_rsa,
               const struct crypto_piece *signature)
{
    const uint8_t *all = der_here(der);
    put_signer(der, chain, by_rsa, signature);
    der_head(der, DER_SET, all);
    put_chain(der, chain);
    der_put(der, OF_DATA, sizeof OF_DATA);
    const uint8_t *digests = der_here(der);
    der_put(der, SHA256, sizeof SHA256);
    der_head(der, DER_SET, digests);
    der_put(der, VERSION_1, sizeof VERSION_1);
    der_head(der, DER_SEQUENCE, all);
    der_head(der, DER_CONTEXT_0, all);
    der_put(der, OF_SIGNED_DATA, sizeof OF_SIGNED_DATA);
    der_head(der, DER_SEQUENCE, all);
}
