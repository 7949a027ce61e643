/*
 * rdp_certificate: the certificate, with its key, by which .rdp files are signed: who Windows names
 * as their publisher. Read from two files in PEM, as certbot and others keep them: the certificate
 * with those that lead to its authority, and the key.
 */
#ifndef PAMTUNNEL_VPS_GRANT_RDP_CERTIFICATE_H
#define PAMTUNNEL_VPS_GRANT_RDP_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/der.h"
#include "base/why.h"

enum {
    RDP_PUBLISHER_MAX = 128,
    RDP_SHA1_HEX_SIZE = 41,
    RDP_SHA256_HEX_SIZE = 65,
    /* What a signature with all its certificates takes at most, in DER. */
    RDP_SIGNATURE_DER_MAX = 12288,
};

struct mbedtls_ssl_config;
struct rdp_certificate;

struct rdp_certificate_view {
    char publisher[RDP_PUBLISHER_MAX]; /* as Windows names it; whoever made it has chosen that */
    bool is_its_own;                   /* signed by itself: known where somebody has put it */
    bool is_rsa;                       /* else it is an elliptic curve */
    unsigned bits;                     /* of the key */
    int64_t from_unix, until_unix;
    char
        sha1[RDP_SHA1_HEX_SIZE]; /* the thumbprint, in upper case, as policies of Windows have it */
    char sha256[RDP_SHA256_HEX_SIZE];
    struct why doubt; /* "": none. It signs, but somebody should look at its files */
};

/*
 * Reads both, and checks that they belong together and may sign; not the time. 0, or -errno with
 * why: -ENOENT and -EACCES of the files, -EINVAL for what is in them.
 */
int rdp_certificate_read(const char *certificate_path, const char *key_path,
                         struct rdp_certificate **ret_certificate, struct why *why);
/* One more owner, each of which frees it. */
struct rdp_certificate *rdp_certificate_hold(struct rdp_certificate *certificate);
/* Wipes the key, if that was its last owner. Accepts NULL. */
void rdp_certificate_free(struct rdp_certificate *certificate);

/* As long as the certificate. */
const struct rdp_certificate_view *rdp_certificate_view(const struct rdp_certificate *certificate);
/* 0 if it holds at that time (of Unix); else -EKEYEXPIRED with why. */
int rdp_certificate_check_time(const struct rdp_certificate *certificate, int64_t now_unix,
                               struct why *why);
/*
 * It is for servers, names that one (a host name or an address), and somebody else vouches for it:
 * a browser may take it.
 */
bool rdp_certificate_is_for_server(const struct rdp_certificate *certificate, const char *host);
/* Has a TLS server show it, which has to be gone before it is. 0 or -ENOMEM. */
int rdp_certificate_use(struct rdp_certificate *certificate, struct mbedtls_ssl_config *ssl);
/*
 * Signs the message: PKCS #7 SignedData (RFC 2315) without it, with SHA-256, the whole chain and
 * no attributes. 0 with der filled; -EIO if the library fails, -ENOSPC.
 */
int rdp_certificate_sign(struct rdp_certificate *certificate, const void *message, size_t len,
                         struct der *der);

#endif
