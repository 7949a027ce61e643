/*
 * publisher: in whose name .rdp files are signed. It looks after the two files that RDP_SIGN_CERT
 * and RDP_SIGN_KEY name, or those that certbot keeps for this server: reads them again when they
 * have changed, each minute and before a file is made, and says when files cannot be signed any
 * more. In the seconds of a renewal, when they do not fit together, what was read before serves.
 * What is asked of it never fails: files are unsigned then.
 */
#ifndef PAMTUNNEL_VPS_GRANT_PUBLISHER_H
#define PAMTUNNEL_VPS_GRANT_PUBLISHER_H

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "vps/grant/rdp_certificate.h"

enum { PUBLISHER_PATH_MAX = 320 };

struct publisher_files {
    char certificate[PUBLISHER_PATH_MAX]; /* "": files are not signed */
    char key[PUBLISHER_PATH_MAX];
    /*
     * Nobody has named them. They are used if they can be, and are for that; if they never were,
     * there is nothing to complain about. Of RSA only: whether Windows takes other keys, nobody
     * has told yet.
     */
    bool by_default;
};

/*
 * certificate and key as they are set, both or neither. "off" as certificate: none. Neither:
 * those that certbot keeps for host below /etc/letsencrypt.
 */
struct publisher_files publisher_files_of(const char *certificate, const char *key,
                                          const char *host);

/*
 * Reads them once, for programs that do not stay. The certificate, which is the caller's to free;
 * or NULL, with why if they should have been of use.
 */
struct rdp_certificate *publisher_read(const struct publisher_files *files, struct why *why);

struct publisher;

struct publisher_options {
    uv_loop_t *loop;
    const struct log *log; /* says what it finds, and when that changes */
    /* It signs, does no more, or by another certificate. May come from each of the calls below. */
    void (*changed)(void *arg);
    void *arg;
};

/* NULL when out of memory. Signs nothing before publisher_use(). */
struct publisher *publisher_new(const struct publisher_options *options);
/* Accepts NULL. */
void publisher_free(struct publisher *publisher);

/* Takes these from now on, and reads them in any case. */
void publisher_use(struct publisher *publisher, const struct publisher_files *files);
/*
 * To sign with, now; valid until the next call. NULL: files are not signed. Looks whether the
 * files have changed. Accepts NULL.
 */
struct rdp_certificate *publisher_certificate(struct publisher *publisher);
/*
 * To show to browsers as that server's, now, whether it signs files or not; NULL: there is none for
 * it. Looks at nothing; valid until the next call, unless it is held. Accepts NULL.
 */
struct rdp_certificate *publisher_server_certificate(const struct publisher *publisher,
                                                     const char *host);
/* Why files are not signed that should be; NULL if nothing is wrong. Looks at nothing. */
const char *publisher_trouble(const struct publisher *publisher);

#endif
