/*
 * Reading is done on the loop, as that of settings at a reload is: two stat(2) of files that the
 * kernel has at hand, and two small files each time somebody has renewed them.
 *
 * A certificate that is renewed is a moment in which the new one lies beside the old key, or half
 * of a file is written. A look in that moment finds that they do not fit; what was read before
 * serves until they do, for SETTLE_MS. Only then is it somebody's trouble.
 */
#include "vps/grant/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/timer.h"

enum { LOOK_MS = 60000, SETTLE_MS = 5000 };

/* Which file it is, which of its contents, and who may read it. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec written, changed;
};

struct publisher {
    struct publisher_options options;
    struct timer *timer;
    struct publisher_files files;
    struct stamp certificate_stamp, key_stamp;
    struct rdp_certificate *certificate; /* NULL: they were of no use */
    struct rdp_certificate *servers;     /* of use to a server alone; or NULL */
    uint64_t settles_ms;                 /* until then it is not what they hold now; 0: it is */
    bool signs;                          /* by it, and its time is now */
    bool has_signed;                     /* with these files */
    struct why trouble;                  /* "": none */
    char told[RDP_SHA256_HEX_SIZE];      /* whose signatures were announced; "": nobody's */
    struct why told_trouble, told_doubt;
};

/* ---- which files ------------------------------------------------------------- */

struct publisher_files publisher_files_of(const char *certificate, const char *key,
                                          const char *host)
{
    struct publisher_files files = {.by_default = !certificate[0]};
    if (files.by_default) {
        snprintf(files.certificate, sizeof files.certificate,
                 "/etc/letsencrypt/live/%s/fullchain.pem", host);
        snprintf(files.key, sizeof files.key, "/etc/letsencrypt/live/%s/privkey.pem", host);
    } else if (strcmp(certificate, "off") != 0) {
        snprintf(files.certificate, sizeof files.certificate, "%s", certificate);
        snprintf(files.key, sizeof files.key, "%s", key);
    }
    return files;
}

/* What does not sign may serve another purpose: *ret_other, or NULL. */
static struct rdp_certificate *read_files(const struct publisher_files *files,
                                          struct rdp_certificate **ret_other, struct why *why)
{
    struct rdp_certificate *certificate = NULL;
    why->text[0] = '\0';
    *ret_other = NULL;
    if (files->certificate[0]) {
        rdp_certificate_read(files->certificate, files->key, &certificate, why);
    }
    if (certificate && files->by_default && !rdp_certificate_view(certificate)->is_rsa) {
        *ret_other = certificate;
        certificate = NULL;
        why_set(why, -EINVAL,
                "the key %s is not RSA, and whether Windows takes others is not known: name both "
                "files in RDP_SIGN_CERT and RDP_SIGN_KEY to try",
                files->key);
    }
    return certificate;
}

struct rdp_certificate *publisher_read(const struct publisher_files *files, struct why *why)
{
    struct rdp_certificate *other, *certificate = read_files(files, &other, why);
    rdp_certificate_free(other);
    if (files->by_default) {
        why->text[0] = '\0';
    }
    return certificate;
}

/* ---- looking after them -------------------------------------------------------- */

static struct stamp stamp_of(const char *path)
{
    struct stat file;
    if (!path[0] || stat(path, &file) < 0) {
        return (struct stamp){0};
    }
    return (struct stamp){file.st_dev, file.st_ino, file.st_size, file.st_mtim, file.st_ctim};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(&a->written, &b->written) && is_same_time(&a->changed, &b->changed);
}

/* Whether somebody may be at it, so that what is there counts in some seconds. */
static bool is_settling(struct publisher *publisher)
{
    if (publisher->certificate && publisher->settles_ms == 0) {
        publisher->settles_ms = clock_ms() + SETTLE_MS;
        timer_set(publisher->timer, SETTLE_MS);
    }
    return publisher->certificate && clock_ms() < publisher->settles_ms;
}

/* The stamps are from before: what changes meanwhile is read by the next look. */
static void read_again(struct publisher *publisher, const struct stamp *certificate,
                       const struct stamp *key)
{
    struct why trouble;
    struct rdp_certificate *other, *now = read_files(&publisher->files, &other, &trouble);
    if (!now && is_settling(publisher)) {
        rdp_certificate_free(other);
        return;
    }
    if (publisher->files.by_default && !publisher->has_signed) {
        trouble.text[0] = '\0';
    }
    rdp_certificate_free(publisher->certificate);
    publisher->certificate = now;
    rdp_certificate_free(publisher->servers);
    publisher->servers = other;
    publisher->certificate_stamp = *certificate;
    publisher->key_stamp = *key;
    publisher->settles_ms = 0;
    publisher->trouble = trouble;
}

static void log_signs(const struct publisher *publisher, const struct rdp_certificate_view *view)
{
    char until[CLOCK_TEXT_MAX];
    log_info(publisher->options.log,
             ".rdp files are signed as \"%s\" until %s: %s, %s of %u bits, SHA-256 %s",
             view->publisher, clock_text(view->until_unix, until), publisher->files.certificate,
             view->is_rsa ? "RSA" : "an elliptic curve", view->bits, view->sha256);
}

static void tell_doubt(struct publisher *publisher, const struct rdp_certificate_view *view)
{
    if (view->doubt.text[0] && strcmp(view->doubt.text, publisher->told_doubt.text) != 0) {
        log_warn(publisher->options.log, "%s", view->doubt.text);
    }
    publisher->told_doubt = view->doubt;
}

/* Once for each thing there is to say. */
static void tell(struct publisher *publisher)
{
    const struct rdp_certificate_view *view = publisher->signs
                                                  ? rdp_certificate_view(publisher->certificate)
                                                  : NULL;
    if (view) {
        tell_doubt(publisher, view);
    }
    const char *now = view ? view->sha256 : "";
    if (strcmp(now, publisher->told) == 0 &&
        strcmp(publisher->trouble.text, publisher->told_trouble.text) == 0) {
        return;
    }
    snprintf(publisher->told, sizeof publisher->told, "%s", now);
    publisher->told_trouble = publisher->trouble;
    if (view) {
        log_signs(publisher, view);
    } else if (publisher->trouble.text[0]) {
        log_warn(publisher->options.log, ".rdp files are not signed: %s", publisher->trouble.text);
    } else {
        log_info(publisher->options.log, ".rdp files are not signed any more");
    }
    if (publisher->options.changed) {
        publisher->options.changed(publisher->options.arg);
    }
}

static void look(struct publisher *publisher)
{
    const struct stamp certificate = stamp_of(publisher->files.certificate);
    const struct stamp key = stamp_of(publisher->files.key);
    if (!is_same(&certificate, &publisher->certificate_stamp) ||
        !is_same(&key, &publisher->key_stamp)) {
        read_again(publisher, &certificate, &key);
    }
    publisher->signs = false;
    if (publisher->certificate) {
        publisher->trouble.text[0] = '\0';
        publisher->signs = rdp_certificate_check_time(publisher->certificate, clock_unix(),
                                                      &publisher->trouble) == 0;
    }
    publisher->has_signed = publisher->has_signed || publisher->signs;
    tell(publisher);
}

static void on_timer(void *arg)
{
    struct publisher *publisher = arg;
    timer_set(publisher->timer, LOOK_MS);
    look(publisher);
}

/* ---- life, and use ------------------------------------------------------------- */

struct publisher *publisher_new(const struct publisher_options *options)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher) {
        return NULL;
    }
    publisher->options = *options;
    publisher->timer = timer_new(options->loop, on_timer, publisher);
    if (!publisher->timer) {
        free(publisher);
        return NULL;
    }
    timer_set(publisher->timer, LOOK_MS);
    return publisher;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher) {
        timer_free(publisher->timer);
        rdp_certificate_free(publisher->certificate);
        rdp_certificate_free(publisher->servers);
        free(publisher);
    }
}

void publisher_use(struct publisher *publisher, const struct publisher_files *files)
{
    const struct publisher_files *before = &publisher->files;
    publisher->has_signed = publisher->has_signed &&
                            strcmp(files->certificate, before->certificate) == 0 &&
                            strcmp(files->key, before->key) == 0;
    publisher->files = *files;
    const struct stamp certificate = stamp_of(files->certificate), key = stamp_of(files->key);
    rdp_certificate_free(publisher->certificate);
    publisher->certificate = NULL; /* nothing that was read before counts */
    read_again(publisher, &certificate, &key);
    look(publisher);
}

struct rdp_certificate *publisher_certificate(struct publisher *publisher)
{
    if (!publisher) {
        return NULL;
    }
    look(publisher);
    return publisher->signs ? publisher->certificate : NULL;
}

struct rdp_certificate *publisher_server_certificate(const struct publisher *publisher,
                                                     const char *host)
{
    struct why why;
    if (!publisher) {
        return NULL;
    }
    struct rdp_certificate *certificate = publisher->certificate ? publisher->certificate
                                                                 : publisher->servers;
    bool serves = certificate && rdp_certificate_is_for_server(certificate, host) &&
                  rdp_certificate_check_time(certificate, clock_unix(), &why) == 0;
    return serves ? certificate : NULL;
}

const char *publisher_trouble(const struct publisher *publisher)
{
    return publisher && publisher->trouble.text[0] ? publisher->trouble.text : NULL;
}
