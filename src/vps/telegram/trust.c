#include "vps/telegram/trust.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ca_certificates.h>
#include <mbedtls/asn1.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

struct trust {
    char path[PATH_MAX];
    bool is_folder;
    mbedtls_x509_crt builtin; /* read only if there is no path */
};

struct trust_places trust_usual_places(void)
{
    static const char *const FILES[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine, OpenWrt */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",             /* openSUSE */
        "/etc/ssl/cert.pem",                  /* Alpine, BSD */
        NULL,
    };
    static const char *const FOLDERS[] = {
        "/etc/ssl/certs", /* where only single certificates were installed */
        NULL,
    };
    return (struct trust_places){
        .named = getenv("SSL_CERT_FILE"),
        .files = FILES,
        .folders = FOLDERS,
        .builtin = ca_certificates,
        .builtin_len = ca_certificates_len,
    };
}

/* --- which --- */

static bool holds_bytes(const char *path)
{
    struct stat info;
    return access(path, R_OK) == 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_size > 0;
}

static bool holds_files(const char *path)
{
    DIR *folder = opendir(path);
    bool found = false;
    const struct dirent *entry;
    while (folder && !found && (entry = readdir(folder))) {
        char file[PATH_MAX];
        int len = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        found = len < (int)sizeof file && holds_bytes(file);
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

static const char *first_that(bool (*holds)(const char *path), const char *const *paths)
{
    while (*paths && !holds(*paths)) {
        paths++;
    }
    return *paths;
}

static int find_path(const struct trust_places *places, struct trust *trust)
{
    const char *path = places->named && places->named[0] ? places->named : NULL;
    if (!path) {
        path = first_that(holds_bytes, places->files);
    }
    if (!path) {
        path = first_that(holds_files, places->folders);
        trust->is_folder = path != NULL;
    }
    int len = snprintf(trust->path, sizeof trust->path, "%s", path ? path : "");
    return len < (int)sizeof trust->path ? 0 : -ENAMETOOLONG;
}

/* --- what is built in --- */

/* How long the DER element at the start is with its head; 0 if there is no whole one. */
static size_t element_len(const unsigned char *der, size_t len)
{
    unsigned char *at = (unsigned char *)der + 1; /* behind the tag; is only read */
    size_t content;
    if (len < 2 || mbedtls_asn1_get_len(&at, der + len, &content) != 0) {
        return 0;
    }
    return (size_t)(at - der) + content;
}

static void read_builtin(struct trust *trust, const unsigned char *der, size_t len)
{
    size_t element;
    while ((element = element_len(der, len)) > 0) {
        /* One that Mbed TLS cannot read is one authority less, and no reason to trust nobody. */
        mbedtls_x509_crt_parse_der_nocopy(&trust->builtin, der, element);
        der += element;
        len -= element;
    }
}

unsigned trust_builtin_count(const struct trust *trust)
{
    unsigned count = 0;
    for (const mbedtls_x509_crt *one = &trust->builtin; one && one->version; one = one->next) {
        count++;
    }
    return count;
}

/* --- use --- */

/* CURLOPT_SSL_CTX_FUNCTION: called for each connection, when curl has made its own settings. */
static CURLcode on_connection(CURL *easy, void *config, void *arg)
{
    (void)easy;
    struct trust *trust = arg;
    mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_default);
    if (!trust->path[0]) {
        mbedtls_ssl_conf_ca_chain(config, &trust->builtin, NULL);
    }
    return CURLE_OK;
}

CURLcode trust_set(struct trust *trust, CURL *easy)
{
    CURLcode code = CURLE_OK;
    if (trust->path[0]) {
        code = curl_easy_setopt(easy, trust->is_folder ? CURLOPT_CAPATH : CURLOPT_CAINFO,
                                trust->path);
    }
    if (code == CURLE_OK && trust->path[0]) { /* the same for an https:// proxy on the way */
        code = curl_easy_setopt(
            easy, trust->is_folder ? CURLOPT_PROXY_CAPATH : CURLOPT_PROXY_CAINFO, trust->path);
    }
    if (code == CURLE_OK) {
        code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_connection);
    }
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) : code;
}

/* --- life --- */

const char *trust_path(const struct trust *trust)
{
    return trust->path;
}

int trust_new(const struct trust_places *places, struct trust **ret_trust)
{
    struct trust *trust = calloc(1, sizeof *trust);
    if (!trust) {
        return -ENOMEM;
    }
    mbedtls_x509_crt_init(&trust->builtin);
    int err = find_path(places, trust);
    if (err < 0) {
        trust_free(trust);
        return err;
    }
    if (!trust->path[0]) {
        read_builtin(trust, places->builtin, places->builtin_len);
    }
    *ret_trust = trust;
    return 0;
}

void trust_free(struct trust *trust)
{
    if (trust) {
        mbedtls_x509_crt_free(&trust->builtin);
        free(trust);
    }
}
