#include "vps/grant/rdp_certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "vps/grant/pkcs7.h"
#include "vps/grant/rdp_certificate_core.h"

/* ---- life ------------------------------------------------------------------- */

struct rdp_certificate *rdp_certificate_hold(struct rdp_certificate *certificate)
{
    certificate->owners++;
    return certificate;
}

void rdp_certificate_free(struct rdp_certificate *certificate)
{
    if (certificate && --certificate->owners == 0) {
        mbedtls_pk_free(&certificate->key);
        mbedtls_x509_crt_free(&certificate->chain);
        free(certificate);
    }
}

/* ---- use -------------------------------------------------------------------- */

const struct rdp_certificate_view *rdp_certificate_view(const struct rdp_certificate *certificate)
{
    return &certificate->view;
}

int rdp_certificate_check_time(const struct rdp_certificate *certificate, int64_t now_unix,
                               struct why *why)
{
    const struct rdp_certificate_view *view = &certificate->view;
    char when[CLOCK_TEXT_MAX];
    if (now_unix < view->from_unix) {
        return why_set(why, -EKEYEXPIRED, "the certificate is not valid before %s",
                       clock_day(view->from_unix, when));
    }
    if (now_unix > view->until_unix) {
        return why_set(why, -EKEYEXPIRED, "the certificate expired on %s: renew it",
                       clock_day(view->until_unix, when));
    }
    return 0;
}

/* ---- as a server's --------------------------------------------------------------- */

/* A * stands for the first label (RFC 9525, section 6.3). */
static bool is_dns_name(const mbedtls_x509_buf *name, const char *host)
{
    const char *at = (const char *)name->p;
    size_t len = name->len;
    if (len > 2 && at[0] == '*' && at[1] == '.') {
        host = strchr(host, '.');
        at++;
        len--;
    }
    return host && strlen(host) == len && strncasecmp(host, at, len) == 0;
}

static bool is_address(const mbedtls_x509_buf *name, const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];
    size_t len = inet_pton(AF_INET, host, address) == 1    ? sizeof(struct in_addr)
                 : inet_pton(AF_INET6, host, address) == 1 ? sizeof(struct in6_addr)
                                                           : 0;
    return len > 0 && name->len == len && memcmp(name->p, address, len) == 0;
}

static bool is_name(const mbedtls_x509_buf *name, const char *host)
{
    switch (name->tag) {
    case MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME:
        return is_dns_name(name, host);
    case MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_IP_ADDRESS:
        return is_address(name, host);
    default:
        return false;
    }
}

static bool has_name(const mbedtls_x509_crt *leaf, const char *host)
{
    const mbedtls_x509_sequence *name = &leaf->subject_alt_names;
    while (name && !is_name(&name->buf, host)) {
        name = name->next;
    }
    return name;
}

bool rdp_certificate_is_for_server(const struct rdp_certificate *certificate, const char *host)
{
    const mbedtls_x509_crt *leaf = &certificate->chain;
    return !certificate->view.is_its_own && has_name(leaf, host) &&
           mbedtls_x509_crt_check_key_usage(leaf, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0 &&
           mbedtls_x509_crt_check_extended_key_usage(
               leaf, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
}

int rdp_certificate_use(struct rdp_certificate *certificate, struct mbedtls_ssl_config *ssl)
{
    int err = mbedtls_ssl_conf_own_cert(ssl, &certificate->chain, &certificate->key);
    return err == 0 ? 0 : -ENOMEM;
}

/* ---- as a publisher's ------------------------------------------------------------ */

int rdp_certificate_sign(struct rdp_certificate *certificate, const void *message, size_t len,
                         struct der *der)
{
    uint8_t hash[CRYPTO_HASH_SIZE], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t signature_len;
    if (crypto_hash(&(struct crypto_piece){message, len}, 1, hash) < 0 ||
        mbedtls_pk_sign(&certificate->key, MBEDTLS_MD_SHA256, hash, sizeof hash, signature,
                        sizeof signature, &signature_len, crypto_random_library, NULL) != 0) {
        return -EIO;
    }
    pkcs7_put(der, &certificate->chain, certificate->view.is_rsa,
              &(struct crypto_piece){signature, signature_len});
    return der->full ? -ENOSPC : 0;
}
