/*
 * Files are small, regular ones and read whole: a pipe would be waited for. What is read of the key
 * is wiped as soon as the library has made numbers of it, which it wipes itself when it is freed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/oid.h>
#include <mbedtls/sha1.h>

#include "base/crypto.h"
#include "base/text.h"
#include "vps/grant/pkcs7.h"
#include "vps/grant/rdp_certificate_core.h"

enum {
    FILE_MAX = 32768,
    SHA1_SIZE = 20,
    /* Less can be forged; more makes everybody wait while a small board calculates. */
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 4096,
};

/* ---- the files -------------------------------------------------------------- */

static int read_all(int fd, uint8_t *content, size_t *ret_len)
{
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, content + len, FILE_MAX - len)) > 0) {
        len += (size_t)got;
    }
    *ret_len = len;
    return got < 0 ? -errno : len == FILE_MAX ? -EFBIG : 0;
}

static int read_open(int fd, const char *path, uint8_t *content, size_t *ret_len,
                     struct stat *ret_file, struct why *why)
{
    if (fstat(fd, ret_file) < 0 || !S_ISREG(ret_file->st_mode)) {
        return why_set(why, -EINVAL, "%s is not a file", path);
    }
    int err = read_all(fd, content, ret_len);
    return err < 0 ? why_set(why, err, "%s cannot be read: %s", path, strerror(-err)) : 0;
}

/* content takes FILE_MAX and a NUL, which the library's reader of PEM wants to see. */
static int read_file(const char *path, uint8_t *content, size_t *ret_len, struct stat *ret_file,
                     struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int err = -errno;
        return err == -EACCES
                   ? why_set(why, err,
                             "vps-agent's user may not read %s, or its folder is new to vps-agent, "
                             "which takes a restart",
                             path)
                   : why_set(why, err, "%s cannot be read: %s", path, strerror(-err));
    }
    int err = read_open(fd, path, content, ret_len, ret_file, why);
    close(fd);
    if (err == 0) {
        content[*ret_len] = '\0';
        (*ret_len)++;
    }
    return err;
}

static int read_chain(struct rdp_certificate *certificate, const char *path, struct why *why)
{
    uint8_t *content = malloc(FILE_MAX + 1);
    struct stat file;
    size_t len;
    int err = content ? read_file(path, content, &len, &file, why)
                      : why_set(why, -ENOMEM, "out of memory");
    int left = err == 0 ? mbedtls_x509_crt_parse(&certificate->chain, content, len) : 0;
    if (left > 0) { /* a PC could not follow the chain */
        err = why_set(why, -EINVAL, "%u of the certificates in %s cannot be read", (unsigned)left,
                      path);
    } else if (left < 0) {
        err = why_set(why, -EINVAL, "%s holds no certificates in PEM that can be read", path);
    }
    free(content);
    return err;
}

/* Who is neither root, nor us, nor of our group, has no business with the key. */
static void doubt_rights(const char *path, const struct stat *file, struct why *why)
{
    bool by_group = (file->st_mode & 040) && file->st_gid != getegid() && file->st_gid != 0;
    if ((file->st_mode & 06) || by_group) {
        why_set(why, 0,
                "others can read the key %s (mode %04o): chmod 600 %s, or 640 with the "
                "group of vps-agent",
                path, (unsigned)file->st_mode & 07777, path);
    }
}

static int read_key(struct rdp_certificate *certificate, const char *path, struct why *why)
{
    uint8_t *content = malloc(FILE_MAX + 1);
    struct stat file;
    size_t len;
    int err = content ? read_file(path, content, &len, &file, why)
                      : why_set(why, -ENOMEM, "out of memory");
    if (err == 0 && mbedtls_pk_parse_key(&certificate->key, content, len, NULL, 0,
                                         crypto_random_library, NULL) != 0) {
        err = why_set(why, -EINVAL, "%s holds no key in PEM without a password", path);
    }
    if (err == 0) {
        doubt_rights(path, &file, &certificate->view.doubt);
    }
    if (content) {
        crypto_wipe(content, FILE_MAX + 1);
    }
    free(content);
    return err;
}

/* ---- what is in them -------------------------------------------------------- */

/* Any of these is what rdpsign(1) takes; a certificate that says nothing may do all. */
static bool may_sign(const mbedtls_x509_crt *leaf)
{
    static const char REMOTE_DESKTOP[] = "\x2b\x06\x01\x04\x01\x82\x37\x36\x01\x02";
    static const struct {
        const char *oid;
        size_t len;
    } USAGES[] = {
        {MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)},
        {MBEDTLS_OID_CODE_SIGNING, MBEDTLS_OID_SIZE(MBEDTLS_OID_CODE_SIGNING)},
        {REMOTE_DESKTOP, sizeof REMOTE_DESKTOP - 1},
    };
    for (size_t i = 0; i < sizeof USAGES / sizeof *USAGES; i++) {
        if (mbedtls_x509_crt_check_extended_key_usage(leaf, USAGES[i].oid, USAGES[i].len) == 0) {
            return true;
        }
    }
    return false;
}

static int check(struct rdp_certificate *certificate, struct why *why)
{
    const mbedtls_x509_crt *leaf = &certificate->chain;
    unsigned count = 0;
    for (const mbedtls_x509_crt *one = leaf; one; one = one->next) {
        count++;
    }
    if (count > PKCS7_CHAIN_MAX) {
        return why_set(why, -EINVAL, "its file holds more than %u certificates",
                       (unsigned)PKCS7_CHAIN_MAX);
    }
    if (!mbedtls_pk_can_do(&certificate->key, MBEDTLS_PK_RSA) &&
        !mbedtls_pk_can_do(&certificate->key, MBEDTLS_PK_ECDSA)) {
        return why_set(why, -EINVAL, "its key is neither RSA nor of an elliptic curve");
    }
    if (mbedtls_pk_check_pair(&leaf->pk, &certificate->key, crypto_random_library, NULL) != 0) {
        return why_set(why, -EINVAL,
                       "the key does not belong to the certificate: one of the two is another's, "
                       "or the server's own is not the first in its file");
    }
    if (!may_sign(leaf)) {
        return why_set(why, -EINVAL,
                       "the certificate is for other things than servers, code or Remote Desktop");
    }
    return 0;
}

static int64_t unix_of(const mbedtls_x509_time *at)
{
    struct tm utc = {.tm_year = at->year - 1900,
                     .tm_mon = at->mon - 1,
                     .tm_mday = at->day,
                     .tm_hour = at->hour,
                     .tm_min = at->min,
                     .tm_sec = at->sec};
    return timegm(&utc);
}

static void copy_name(const mbedtls_x509_buf *name, char *dst)
{
    snprintf(dst, RDP_PUBLISHER_MAX, "%.*s", (int)name->len, (const char *)name->p);
}

/* Its common name; those of authorities that give none have the server's among the others. */
static void name_publisher(const mbedtls_x509_crt *leaf, char *dst)
{
    const mbedtls_x509_name *part = &leaf->subject;
    while (part && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) != 0) {
        part = part->next;
    }
    if (part) {
        copy_name(&part->val, dst);
    }
    for (const mbedtls_x509_sequence *other = &leaf->subject_alt_names; other && !dst[0];
         other = other->next) {
        if (other->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME)) {
            copy_name(&other->buf, dst);
        }
    }
    text_quote(dst);
}

static void doubt_bits(struct rdp_certificate_view *view)
{
    if (!view->doubt.text[0] && view->is_rsa &&
        (view->bits < RSA_BITS_MIN || view->bits > RSA_BITS_MAX)) {
        why_set(&view->doubt, 0, "a key of %u bits %s: take one of 2048 or 3072", view->bits,
                view->bits < RSA_BITS_MIN ? "can be broken" : "makes everybody wait for each file");
    }
}

static int describe(struct rdp_certificate *certificate, struct why *why)
{
    const mbedtls_x509_crt *leaf = &certificate->chain;
    struct rdp_certificate_view *view = &certificate->view;
    uint8_t sha1[SHA1_SIZE], sha256[CRYPTO_HASH_SIZE];
    if (mbedtls_sha1(leaf->raw.p, leaf->raw.len, sha1) != 0 ||
        crypto_hash(&(struct crypto_piece){leaf->raw.p, leaf->raw.len}, 1, sha256) < 0) {
        return why_set(why, -EIO, "its fingerprint cannot be calculated");
    }
    crypto_hex(sha1, sizeof sha1, view->sha1);
    for (char *c = view->sha1; *c; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    crypto_hex(sha256, sizeof sha256, view->sha256);
    name_publisher(leaf, view->publisher);
    view->is_its_own = leaf->subject_raw.len == leaf->issuer_raw.len &&
                       memcmp(leaf->subject_raw.p, leaf->issuer_raw.p, leaf->issuer_raw.len) == 0;
    view->is_rsa = mbedtls_pk_can_do(&certificate->key, MBEDTLS_PK_RSA);
    view->bits = (unsigned)mbedtls_pk_get_bitlen(&certificate->key);
    doubt_bits(view);
    view->from_unix = unix_of(&leaf->valid_from);
    view->until_unix = unix_of(&leaf->valid_to);
    return 0;
}

/* What cannot be used is found now, and not with the first file, which would be unsigned. */
static int try_it(struct rdp_certificate *certificate, struct why *why)
{
    uint8_t *buffer = malloc(RDP_SIGNATURE_DER_MAX);
    if (!buffer) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    struct der der = der_over(buffer, RDP_SIGNATURE_DER_MAX);
    int err = rdp_certificate_sign(certificate, "", 0, &der);
    free(buffer);
    return err == -ENOSPC ? why_set(why, -EINVAL,
                                    "its file holds certificates of more than %u bytes together: "
                                    "those that lead to its authority are enough",
                                    (unsigned)RDP_SIGNATURE_DER_MAX)
           : err < 0      ? why_set(why, -EINVAL, "nothing can be signed with its key")
                          : 0;
}

/* ---- both ------------------------------------------------------------------- */

int rdp_certificate_read(const char *certificate_path, const char *key_path,
                         struct rdp_certificate **ret_certificate, struct why *why)
{
    struct rdp_certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    certificate->owners = 1;
    mbedtls_x509_crt_init(&certificate->chain);
    mbedtls_pk_init(&certificate->key);
    int err = read_chain(certificate, certificate_path, why);
    err = err < 0 ? err : read_key(certificate, key_path, why);
    err = err < 0 ? err : check(certificate, why);
    err = err < 0 ? err : describe(certificate, why);
    err = err < 0 ? err : try_it(certificate, why);
    if (err < 0) {
        rdp_certificate_free(certificate);
        return err;
    }
    *ret_certificate = certificate;
    return 0;
}
