/*
 * Reading is done on the loop, as that of settings at a reload is: two stat(2) of files that the
 * kernel has at hand, and two small files each time somebody has renewed them.
 *
 * A certificate that is renewed is a moment in which the new one lies beside the old key. A look in
 * that moment finds that they do not fit, and the next one, when the key has changed too, that they
 * do.
 */
#include "vps/grant/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/timer.h"

enum { LOOK_MS = 60000 };

/* Which file it is, and which of its contents. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct publisher {
    struct publisher_options options;
    struct timer *timer;
    struct publisher_files files;
    struct stamp certificate_stamp, key_stamp;
    struct rdp_certificate *certificate; /* NULL: they were of no use */
    bool signs;                          /* by it, and its time is now */
    struct why trouble;                  /* "": none */
    char told[RDP_SHA256_HEX_SIZE];      /* whose signatures were announced; "": nobody's */
    struct why told_trouble;
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

struct rdp_certificate *publisher_read(const struct publisher_files *files, struct why *why)
{
    struct rdp_certificate *certificate = NULL;
    why->text[0] = '\0';
    if (files->certificate[0] &&
        rdp_certificate_read(files->certificate, files->key, &certificate, why) < 0 &&
        files->by_default) {
        why->text[0] = '\0';
    }
    if (certificate && files->by_default && !rdp_certificate_view(certificate)->is_rsa) {
        rdp_certificate_free(certificate);
        certificate = NULL;
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
    return (struct stamp){file.st_dev, file.st_ino, file.st_size, file.st_mtim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The stamps are from before: what changes meanwhile is read by the next look. */
static void read_again(struct publisher *publisher, const struct stamp *certificate,
                       const struct stamp *key)
{
    rdp_certificate_free(publisher->certificate);
    publisher->certificate_stamp = *certificate;
    publisher->key_stamp = *key;
    publisher->certificate = publisher_read(&publisher->files, &publisher->trouble);
}

static void log_signs(const struct publisher *publisher, const struct rdp_certificate_view *view)
{
    char until[CLOCK_TEXT_MAX];
    log_info(publisher->options.log,
             ".rdp files are signed as \"%s\" until %s: %s, %s of %u bits, SHA-256 %s",
             view->publisher, clock_text(view->until_unix, until), publisher->files.certificate,
             view->is_rsa ? "RSA" : "an elliptic curve", view->bits, view->sha256);
    if (view->doubt.text[0]) {
        log_warn(publisher->options.log, "%s", view->doubt.text);
    }
}

/* Once for each thing there is to say. */
static void tell(struct publisher *publisher)
{
    const struct rdp_certificate_view *view = publisher->signs
                                                  ? rdp_certificate_view(publisher->certificate)
                                                  : NULL;
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

static void look(struct publisher *publisher, bool in_any_case)
{
    const struct stamp certificate = stamp_of(publisher->files.certificate);
    const struct stamp key = stamp_of(publisher->files.key);
    if (in_any_case || !is_same(&certificate, &publisher->certificate_stamp) ||
        !is_same(&key, &publisher->key_stamp)) {
        read_again(publisher, &certificate, &key);
    }
    publisher->signs = false;
    if (publisher->certificate) {
        publisher->trouble.text[0] = '\0';
        publisher->signs = rdp_certificate_check_time(publisher->certificate, clock_unix(),
                                                      &publisher->trouble) == 0;
    }
    tell(publisher);
}

static void on_timer(void *arg)
{
    struct publisher *publisher = arg;
    timer_set(publisher->timer, LOOK_MS);
    look(publisher, false);
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
        free(publisher);
    }
}

void publisher_use(struct publisher *publisher, const struct publisher_files *files)
{
    publisher->files = *files;
    look(publisher, true);
}

struct rdp_certificate *publisher_certificate(struct publisher *publisher)
{
    if (!publisher) {
        return NULL;
    }
    look(publisher, false);
    return publisher->signs ? publisher->certificate : NULL;
}

const char *publisher_trouble(const struct publisher *publisher)
{
    return publisher && publisher->trouble.text[0] ? publisher->trouble.text : NULL;
}
