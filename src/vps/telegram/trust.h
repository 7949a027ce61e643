/*
 * trust: the public authorities whose certificates vouch for HTTPS servers. The
 * system's own come first; those of Debian, built into the program, are for
 * systems that have none: empty containers, small boards.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_TRUST_H
#define PAMTUNNEL_VPS_TELEGRAM_TRUST_H

#include <curl/curl.h>
#include <stddef.h>

struct trust;

/* Where certificates may be, the first that is there counts. */
struct trust_places {
    const char *named;          /* of SSL_CERT_FILE: is used whatever it holds; NULL or "": none */
    const char *const *files;   /* in PEM, NULL at the end; empty ones do not count */
    const char *const *folders; /* of such files, NULL at the end; empty ones do not count */
    const unsigned char *builtin; /* DER, one after the other; is not copied */
    size_t builtin_len;
};

/* What SSL_CERT_FILE says, where the distributions keep theirs, and what is built in. */
struct trust_places trust_usual_places(void);

/* Decides which it is, once. */
int trust_new(const struct trust_places *places, struct trust **ret_trust);
/* Not while a transfer still uses it. Accepts NULL. */
void trust_free(struct trust *trust);

/* The file or folder; "" if it is the certificates that are built in. */
const char *trust_path(const struct trust *trust);

/* The built-in certificates that are in use: 0 if it is the system's. Some of what is built in
 * may not be readable: curves that no server uses. */
unsigned trust_builtin_count(const struct trust *trust);

/* Which authorities a transfer has to trust, and that certificates which it is shown are signed by
 * SHA-2 and keys of today's lengths. */
CURLcode trust_set(struct trust *trust, CURL *easy);

#endif
