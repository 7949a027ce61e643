/*
 * RSA, since that is what Windows is known to take, of 3072 bits, which are good for these ten
 * years. What is written is read again as vps-agent will, so that what does not serve is told here.
 */
#include "vps/setup/rdp_maker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/envfile.h"
#include "base/host.h"
#include "base/log.h"
#include "base/secret_file.h"
#include "base/settings_source.h"
#include "shared/program.h"
#include "shared/service.h"
#include "vps/grant/rdp_certificate.h"

enum {
    BITS = 3072,
    EXPONENT = 65537,
    DAY_S = 86400,
    DAYS = 3653, /* ten years */
    SERIAL_SIZE = 16,
    TIME_SIZE = 15, /* "20261126180400" */
    NAME_SIZE = HOST_MAX + 8,
    PEM_MAX = 8192,
    FILE_PATH_MAX = PATH_MAX + 16,
};

struct maker {
    char host[HOST_MAX + 1];
    char certificate_path[FILE_PATH_MAX], key_path[FILE_PATH_MAX];
    mbedtls_pk_context key;
    mbedtls_x509write_cert writer;
    unsigned char certificate[PEM_MAX], private_key[PEM_MAX];
};

/* ---- making it --------------------------------------------------------------- */

static int make_key(mbedtls_pk_context *key)
{
    return mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) != 0 ||
                   mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), crypto_random_library, NULL, BITS,
                                       EXPONENT) != 0
               ? -EIO
               : 0;
}

static char *time_text(int64_t unix_s, char dst[TIME_SIZE])
{
    time_t at = (time_t)unix_s;
    struct tm utc;
    strftime(dst, TIME_SIZE, "%Y%m%d%H%M%S", gmtime_r(&at, &utc));
    return dst;
}

/* From yesterday on: some PC's clock is behind. */
static int set_facts(struct maker *maker)
{
    char name[NAME_SIZE], from[TIME_SIZE], until[TIME_SIZE];
    uint8_t serial[SERIAL_SIZE];
    int64_t now = clock_unix();
    if (crypto_random(serial, sizeof serial) < 0) {
        return -EIO;
    }
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* above zero, and of this length */
    snprintf(name, sizeof name, "CN=%s", maker->host);
    return mbedtls_x509write_crt_set_serial_raw(&maker->writer, serial, sizeof serial) != 0 ||
                   mbedtls_x509write_crt_set_subject_name(&maker->writer, name) != 0 ||
                   mbedtls_x509write_crt_set_issuer_name(&maker->writer, name) != 0 ||
                   mbedtls_x509write_crt_set_validity(
                       &maker->writer, time_text(now - DAY_S, from),
                       time_text(now + (int64_t)DAYS * DAY_S, until)) != 0
               ? -EIO
               : 0;
}

/* It signs, and no other certificate: who has stolen the key makes no other names with it. */
static int set_uses(struct maker *maker)
{
    const mbedtls_asn1_sequence signs_code = {
        .buf = {.tag = MBEDTLS_ASN1_OID,
                .len = MBEDTLS_OID_SIZE(MBEDTLS_OID_CODE_SIGNING),
                .p = (unsigned char *)MBEDTLS_OID_CODE_SIGNING}};
    return mbedtls_x509write_crt_set_basic_constraints(&maker->writer, 0, -1) != 0 ||
                   mbedtls_x509write_crt_set_key_usage(&maker->writer,
                                                       MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
                   mbedtls_x509write_crt_set_ext_key_usage(&maker->writer, &signs_code) != 0 ||
                   mbedtls_x509write_crt_set_subject_key_identifier(&maker->writer) != 0
               ? -EIO
               : 0;
}

static int make(struct maker *maker)
{
    int err = make_key(&maker->key);
    mbedtls_x509write_crt_set_version(&maker->writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&maker->writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&maker->writer, &maker->key);
    mbedtls_x509write_crt_set_issuer_key(&maker->writer, &maker->key);
    err = err < 0 ? err : set_facts(maker);
    err = err < 0 ? err : set_uses(maker);
    if (err == 0 && (mbedtls_pk_write_key_pem(&maker->key, maker->private_key, PEM_MAX) != 0 ||
                     mbedtls_x509write_crt_pem(&maker->writer, maker->certificate, PEM_MAX,
                                               crypto_random_library, NULL) != 0)) {
        err = -EIO;
    }
    return err;
}

/* ---- where ---------------------------------------------------------------------- */

static int find_host(struct maker *maker, const struct rdp_maker_options *options, struct why *why)
{
    char value[SETTING_VALUE_MAX] = "";
    if (options->host) {
        snprintf(value, sizeof value, "%s", options->host);
    } else if (settings_peek(options->env_file ? options->env_file
                                               : envfile_installed(VPS_ENV_FILE),
                             "VPS_HOST", value, NULL) < 0 ||
               !value[0]) {
        return why_set(why, -EINVAL,
                       "in whose name? Say --host HOST: users see it as the publisher");
    }
    if (host_kind(value) == HOST_INVALID) {
        return why_set(why, -EINVAL, "--host takes a name or an IP address");
    }
    snprintf(maker->host, sizeof maker->host, "%s", value);
    return 0;
}

static int find_place(struct maker *maker, const char *folder, struct why *why)
{
    char real[PATH_MAX];
    if (!realpath(folder, real)) {
        return why_set(why, -errno, "%s: %s", folder, strerror(errno));
    }
    snprintf(maker->certificate_path, FILE_PATH_MAX, "%s/rdp-sign.crt", real);
    snprintf(maker->key_path, FILE_PATH_MAX, "%s/rdp-sign.key", real);
    if (access(maker->certificate_path, F_OK) == 0 || access(maker->key_path, F_OK) == 0) {
        return why_set(why, -EEXIST,
                       "%s/rdp-sign.crt or .key is there already: PCs may know it, so it is not "
                       "replaced; move both away first",
                       real);
    }
    return secret_file_check(maker->key_path, why);
}

static int write_files(struct maker *maker, struct why *why)
{
    int err = secret_file_replace(maker->key_path, (char *)maker->private_key, why);
    if (err < 0) {
        return err;
    }
    err = secret_file_replace(maker->certificate_path, (char *)maker->certificate, why);
    if (err < 0) {
        unlink(maker->key_path); /* of no use, and in the way of the next try */
    }
    return err;
}

/* ---- what to do with it --------------------------------------------------------- */

static void say(const struct maker *maker, const struct rdp_certificate_view *view)
{
    char until[CLOCK_TEXT_MAX];
    printf("Made a certificate for %s, valid until %.10s: RSA of %u bits, SHA-256 %s.\n\n",
           view->publisher, clock_text(view->until_unix, until), view->bits, view->sha256);
    printf("For vps-agent's env file, then sudo pamctl reload:\n\n"
           "  RDP_SIGN_CERT=%s\n  RDP_SIGN_KEY=%s\n\n",
           maker->certificate_path, maker->key_path);
    printf("On each PC, as administrator, with a copy of rdp-sign.crt (or the same by group "
           "policy):\n\n"
           "  certutil -addstore Root rdp-sign.crt\n"
           "  reg add \"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Terminal Services\" "
           "/v TrustedCertThumbprints /t REG_SZ /d %s /f\n\n",
           view->sha1);
    puts("With the first, Windows names the publisher; with the second, it does not ask. The "
         "second\n"
         "replaces the list of thumbprints that a PC has: if there is one, put this behind a "
         "comma.\n"
         "Such a PC also trusts programs that are signed with this key: nobody else may get it.");
}

static int make_and_say(struct maker *maker, const struct rdp_maker_options *options,
                        struct why *why)
{
    struct rdp_certificate *certificate;
    int err = find_host(maker, options, why);
    err = err < 0 ? err : find_place(maker, options->folder, why);
    if (err == 0 && make(maker) < 0) {
        err = why_set(why, -EIO, "the certificate cannot be made");
    }
    err = err < 0 ? err : write_files(maker, why);
    err = err < 0
              ? err
              : rdp_certificate_read(maker->certificate_path, maker->key_path, &certificate, why);
    if (err == 0) {
        say(maker, rdp_certificate_view(certificate));
        rdp_certificate_free(certificate);
    }
    return err;
}

int rdp_maker_run(const struct rdp_maker_options *options)
{
    struct maker *maker = calloc(1, sizeof *maker);
    struct why why = {"out of memory"};
    int err = -ENOMEM;
    if (maker) {
        mbedtls_pk_init(&maker->key);
        mbedtls_x509write_crt_init(&maker->writer);
        err = make_and_say(maker, options, &why);
        mbedtls_x509write_crt_free(&maker->writer);
        mbedtls_pk_free(&maker->key);
        crypto_wipe(maker->private_key, sizeof maker->private_key);
    }
    free(maker);
    if (err < 0) {
        log_complain("vps-agent", why.text);
    }
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
