/* Which certificates may sign an .rdp file, and each byte of a signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>

#include "rdp_keys.h"
#include "vps/grant/rdp_signature.h"
#include "vps/grant/rdpfile.h"

static char folder[] = "/tmp/rdp_signature.XXXXXX";
static char certificate_path[64], key_path[64];

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_path, sizeof certificate_path, "%s/cert.pem", folder);
    snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(certificate_path);
    unlink(key_path);
    rmdir(folder);
    return 0;
}

static void put(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    chmod(path, 0600);
}

static int read_pair(const char *chain, const char *key, struct rdp_certificate **ret_certificate,
                     struct why *why)
{
    put(certificate_path, chain);
    put(key_path, key);
    return rdp_certificate_read(certificate_path, key_path, ret_certificate, why);
}

static struct rdp_certificate *certificate_of(const char *chain, const char *key)
{
    struct rdp_certificate *certificate = NULL;
    struct why why = {""};
    if (read_pair(chain, key, &certificate, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return certificate;
}

/* ---- which may ----------------------------------------------------------------- */

static void it_says_whose_it_is(void **state)
{
    (void)state;
    struct rdp_certificate *rsa = certificate_of(RSA_CHAIN, RSA_KEY);
    const struct rdp_certificate_view *view = rdp_certificate_view(rsa);
    assert_string_equal(view->publisher, "vps.example.org");
    assert_true(view->is_rsa);
    assert_int_equal(view->bits, 2048);
    assert_false(view->is_its_own);
    assert_string_equal(view->doubt.text, "");
    assert_int_equal(strlen(view->sha1), 40);
    assert_int_equal(strspn(view->sha1, "0123456789ABCDEF"), 40);
    rdp_certificate_free(rsa);
    /* Public authorities give certificates without a common name. */
    struct rdp_certificate *ec = certificate_of(EC_CHAIN, EC_KEY);
    view = rdp_certificate_view(ec);
    assert_string_equal(view->publisher, "vps.example.org");
    assert_false(view->is_rsa);
    assert_int_equal(view->bits, 256);
    rdp_certificate_free(ec);
}

static void it_holds_for_a_time(void **state)
{
    struct rdp_certificate *certificate = certificate_of(RSA_CHAIN, RSA_KEY);
    const struct rdp_certificate_view *view = rdp_certificate_view(certificate);
    struct why why;
    (void)state;
    assert_int_equal(view->until_unix - view->from_unix, INT64_C(7300) * 86400);
    assert_int_equal(rdp_certificate_check_time(certificate, view->from_unix, &why), 0);
    assert_int_equal(rdp_certificate_check_time(certificate, view->until_unix, &why), 0);
    assert_int_equal(rdp_certificate_check_time(certificate, view->from_unix - 1, &why),
                     -EKEYEXPIRED);
    assert_non_null(strstr(why.text, "not valid before 2026-11-26"));
    assert_int_equal(rdp_certificate_check_time(certificate, view->until_unix + 1, &why),
                     -EKEYEXPIRED);
    assert_non_null(strstr(why.text, "expired on 2046-11-21"));
    rdp_certificate_free(certificate);
}

static void files_that_are_of_no_use_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *chain, *key, *why;
    } CASES[] = {
        {RSA_CHAIN, EC_KEY, "does not belong to the certificate"},
        {EC_CHAIN, RSA_KEY, "does not belong to the certificate"},
        {MAIL, EC_KEY, "is for other things"},
        {"", RSA_KEY, "holds no certificates"},
        {RSA_KEY, RSA_KEY, "holds no certificates"},
        {RSA_CHAIN, RSA_CHAIN, "holds no key"},
        {RSA_CHAIN, "", "holds no key"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", RSA_KEY,
         "holds no certificates"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct rdp_certificate *certificate = NULL;
        struct why why = {""};
        assert_true(read_pair(CASES[i].chain, CASES[i].key, &certificate, &why) < 0);
        assert_null(certificate);
        if (!strstr(why.text, CASES[i].why)) {
            fail_msg("case %zu: %s", i, why.text);
        }
    }
}

static void a_file_that_is_none_is_not_waited_for(void **state)
{
    struct rdp_certificate *certificate;
    struct why why;
    (void)state;
    put(key_path, RSA_KEY);
    unlink(certificate_path);
    assert_int_equal(rdp_certificate_read(certificate_path, key_path, &certificate, &why), -ENOENT);
    assert_int_equal(mkfifo(certificate_path, 0600), 0);
    assert_true(rdp_certificate_read(certificate_path, key_path, &certificate, &why) < 0);
    assert_non_null(strstr(why.text, "is not a file"));
    unlink(certificate_path);
}

static void a_key_that_others_can_read_is_in_doubt(void **state)
{
    static const struct {
        mode_t mode;
        bool doubtful;
    } CASES[] = {{0600, false}, {0400, false}, {0640, false}, {0644, true}, {0604, true}};
    (void)state;
    put(certificate_path, RSA_CHAIN);
    put(key_path, RSA_KEY);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct rdp_certificate *certificate;
        struct why why;
        chmod(key_path, CASES[i].mode);
        assert_int_equal(rdp_certificate_read(certificate_path, key_path, &certificate, &why), 0);
        assert_int_equal(rdp_certificate_view(certificate)->doubt.text[0] != '\0',
                         CASES[i].doubtful);
        rdp_certificate_free(certificate);
    }
}

/* ---- what they write --------------------------------------------------------------- */

static const char LINES[] = "full address:s:vps.example.org:20123\r\n"
                            "alternate full address:s:vps.example.org:20123\r\n"
                            "use redirection server name:i:0\r\n"
                            "negotiate security layer:i:1\r\n"
                            "enablecredsspsupport:i:1\r\n"
                            "autoreconnection enabled:i:1\r\n"
                            "gatewayusagemethod:i:0\r\n"
                            "alternate shell:s:\r\n"
                            "shell working directory:s:\r\n"
                            "remoteapplicationmode:i:0\r\n"
                            "prompt for credentials:i:1\r\n"
                            "authentication level:i:2\r\n"
                            "redirectdrives:i:0\r\n"
                            "redirectprinters:i:0\r\n"
                            "redirectcomports:i:0\r\n"
                            "redirectsmartcards:i:0\r\n"
                            "redirectposdevices:i:0\r\n"
                            "redirectclipboard:i:0\r\n"
                            "devicestoredirect:s:\r\n"
                            "drivestoredirect:s:\r\n"
                            "loadbalanceinfo:s:Cookie: mstshash=abcdefghijkmnpqrstuvwxyz234\r\n"
                            "rdgiskdcproxy:i:0\r\n"
                            "kdcproxyname:s:\r\n"
                            "redirectwebauthn:i:0\r\n";
static const char SCOPE[] =
    "signscope:s:Full Address,Alternate Full Address,Use Redirection Server Name,"
    "Negotiate Security Layer,EnableCredSspSupport,AutoReconnection Enabled,GatewayUsageMethod,"
    "Alternate Shell,Shell Working Directory,RemoteApplicationMode,Prompt For Credentials,"
    "Authentication Level,RedirectDrives,RedirectPrinters,RedirectCOMPorts,RedirectSmartCards,"
    "RedirectPOSDevices,RedirectClipboard,DevicesToRedirect,DrivesToRedirect,LoadBalanceInfo,"
    "RDGIsKDCProxy,KDCProxyName,RedirectWebAuthn\r\n";

static struct text write_file(struct rdp_certificate *signer, char *buffer, size_t size)
{
    const struct rdpfile file = {.host = "vps.example.org",
                                 .port = 20123,
                                 .secret = "abcdefghijkmnpqrstuvwxyz234",
                                 .user = "CORP\\mxu",
                                 .signer = signer};
    struct text text = text_over(buffer, size);
    bool is_signed = rdpfile_write(&file, &text);
    assert_int_equal(is_signed, strstr(buffer, "\r\nsignature:s:") != NULL);
    return text;
}

/* The signature's bytes, whose base64 may hold blanks. Returns how many. */
static size_t decode(const char *file, uint8_t *blob, size_t size)
{
    static char packed[RDP_SIGNATURE_MAX];
    const char *at = strstr(file, "\r\nsignature:s:");
    size_t len = 0, got;
    assert_non_null(at);
    for (at += strlen("\r\nsignature:s:"); *at != '\r'; at++) {
        if (*at != ' ') {
            packed[len++] = *at;
        }
    }
    assert_string_equal(at, "\r\n");
    assert_int_equal(mbedtls_base64_decode(blob, size, &got, (uint8_t *)packed, len), 0);
    return got;
}

static void hash_message(uint8_t hash[32])
{
    uint8_t message[8192];
    char all[4096];
    int len = snprintf(all, sizeof all, "%s%s", LINES, SCOPE);
    for (int i = 0; i <= len; i++) {
        message[2 * i] = (uint8_t)all[i];
        message[2 * i + 1] = 0;
    }
    mbedtls_sha256(message, 2 * (size_t)(len + 1), hash, 0);
}

static void check_signature(const char *chain, const char *key)
{
    struct rdp_certificate *certificate = certificate_of(chain, key);
    char buffer[2048 + RDP_SIGNATURE_MAX];
    uint8_t blob[RDP_SIGNATURE_DER_MAX], hash[32];
    mbedtls_x509_crt leaf;
    write_file(certificate, buffer, sizeof buffer);
    assert_non_null(strstr(buffer, SCOPE));
    size_t len = decode(buffer, blob, sizeof blob);
    assert_memory_equal(blob, ((uint8_t[]){1, 0, 1, 0, 1, 0, 0, 0}), 8);
    assert_int_equal(blob[8] + 256 * blob[9], len - 12);
    /* The signature is the last element: 256 bytes, or as an ECDSA one's head says. */
    hash_message(hash);
    mbedtls_x509_crt_init(&leaf);
    assert_int_equal(mbedtls_x509_crt_parse(&leaf, (const uint8_t *)chain, strlen(chain) + 1), 0);
    size_t signature = 256;
    if (mbedtls_pk_get_type(&leaf.pk) != MBEDTLS_PK_RSA) {
        for (signature = 60;
             blob[len - signature - 2] != 4 || blob[len - signature - 1] != signature;
             signature++) {
        }
    }
    assert_int_equal(mbedtls_pk_verify(&leaf.pk, MBEDTLS_MD_SHA256, hash, sizeof hash,
                                       blob + len - signature, signature),
                     0);
    hash[7] ^= 1;
    assert_int_not_equal(mbedtls_pk_verify(&leaf.pk, MBEDTLS_MD_SHA256, hash, sizeof hash,
                                           blob + len - signature, signature),
                         0);
    mbedtls_x509_crt_free(&leaf);
    rdp_certificate_free(certificate);
}

static void what_is_signed_are_the_lines_on_the_list(void **state)
{
    (void)state;
    check_signature(RSA_CHAIN, RSA_KEY);
    check_signature(EC_CHAIN, EC_KEY);
}

/* Takes a piece out of it, which has to be there once. */
static void cut_out(char *file, const char *piece)
{
    char *at = strstr(file, piece);
    assert_non_null(at);
    memmove(at, at + strlen(piece), strlen(at + strlen(piece)) + 1);
    assert_null(strstr(file, piece));
}

static void a_signed_file_has_nothing_that_another_has_not_but_what_is_signed(void **state)
{
    struct rdp_certificate *certificate = certificate_of(EC_CHAIN, EC_KEY);
    char with[2048 + RDP_SIGNATURE_MAX], without[2048];
    static const char SECOND[] = "alternate full address:s:vps.example.org:20123\r\n";
    (void)state;
    write_file(certificate, with, sizeof with);
    write_file(NULL, without, sizeof without);
    assert_ptr_equal(strstr(with, SECOND), strstr(with, "\r\n") + 2); /* the second one */
    cut_out(with, SECOND);
    cut_out(with, "use redirection server name:i:0\r\nalternate shell:s:\r\n"
                  "shell working directory:s:\r\nremoteapplicationmode:i:0\r\n"
                  "redirectdrives:i:0\r\nredirectposdevices:i:0\r\nrdgiskdcproxy:i:0\r\n"
                  "kdcproxyname:s:\r\n");
    assert_memory_equal(with, without, strlen(without));
    assert_memory_equal(with + strlen(without), "signscope:s:", 12);
    rdp_certificate_free(certificate);
}

static void without_room_the_file_is_whole_and_unsigned(void **state)
{
    struct rdp_certificate *certificate = certificate_of(RSA_CHAIN, RSA_KEY);
    char small[2048], without[2048];
    (void)state;
    struct text text = write_file(certificate, small, sizeof small);
    assert_false(text.cut);
    assert_null(strstr(small, "signscope"));
    assert_null(strstr(small, "signature"));
    write_file(NULL, without, sizeof without);
    assert_string_equal(small + strlen(small) - 40, without + strlen(without) - 40);
    rdp_certificate_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_whose_it_is),
        cmocka_unit_test(it_holds_for_a_time),
        cmocka_unit_test(files_that_are_of_no_use_are_refused_with_a_reason),
        cmocka_unit_test(a_file_that_is_none_is_not_waited_for),
        cmocka_unit_test(a_key_that_others_can_read_is_in_doubt),
        cmocka_unit_test(what_is_signed_are_the_lines_on_the_list),
        cmocka_unit_test(a_signed_file_has_nothing_that_another_has_not_but_what_is_signed),
        cmocka_unit_test(without_room_the_file_is_whole_and_unsigned),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
