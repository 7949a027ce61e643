/*
 * latch: a session's link. Its public port answers a browser that asks for "/KEY" with a page
 * that names the visitor's address; the page's button (POST) lets that address in, and nothing else
 * does: links are fetched by previews and scanners, too. Each conversation is one request and
 * one answer, within LATCH_PATIENCE_MS.
 *
 * Where there is a certificate (https.h) it speaks TLS as well. Who does is a stranger until its
 * request is there and has a key, and strangers have places of their own (places.h).
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_LATCH_H
#define PAMTUNNEL_VPS_ADMISSION_LATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "vps/admission/https.h"
#include "vps/admission/latch_page.h"

enum {
    LATCH_KEY_LEN = 32, /* of crypto_random_name(): 160 bits */
    LATCH_PATIENCE_MS = 5000,
    LATCH_TLS_PATIENCE_MS = 10000, /* for more round trips, and what is opened in advance */
    LATCH_TALKS_MAX = 8,           /* at once; then the oldest goes */
    LATCH_STRANGERS_MAX = 16,      /* besides */
    LATCH_DRAIN_MAX = 1 << 16,     /* bytes behind the request that are read and forgotten */
    LATCH_READERS_MAX = 8,         /* parties that are remembered */
};

/* What somebody wants who has asked for the page. */
struct latch_visit {
    const char *key; /* LATCH_KEY_LEN letters and digits */
    const struct addr *from;
    bool pressed; /* the button, there */
};

struct latch_events {
    /*
     * What the page is to say; `opened` follows if the button was pressed and it says LATCH_OPEN.
     * False: no session has this key. A question, which changes nothing.
     */
    bool (*page)(void *arg, const struct latch_visit *visit, struct latch_page *ret_page);
    /*
     * That address is let in from now on; the page about it is on its way. May free the latch.
     */
    void (*opened)(void *arg, const struct latch_visit *visit);
    /* One has begun TLS and shown no key. May be NULL. */
    void (*unfit)(void *arg);
};

struct latch;

/*
 * key: LATCH_KEY_LEN letters and digits; NULL: `page` knows which there are. https may be NULL. All
 * of them outlive the latch. NULL: no memory.
 */
struct latch *latch_new(uv_loop_t *loop, const char *key, struct https *https,
                        const struct latch_events *events, void *arg);
/* Hangs up on all. Accepts NULL. */
void latch_free(struct latch *latch);

/*
 * Whether these bytes begin a request for the page, of a latch with a key: see
 * http_request_missing(). Whoever asks for another page is a stranger like any other.
 */
long latch_missing(const struct latch *latch, const uint8_t *data, size_t len);
/* Whether they begin TLS, if there is that now: see https_missing(). */
long latch_missing_of_tls(const struct latch *latch, const uint8_t *data, size_t len);
/* Whether that party has asked for the page, at since_ms (of clock_ms()) or later. */
bool latch_was_read(const struct latch *latch, const struct addr *from, uint64_t since_ms);
/* Takes over who asked for it, with what was read so far, at most HTTP_REQUEST_MAX bytes. */
void latch_take(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len);
/* The same of who begins TLS: at most HTTPS_AHEAD_MAX bytes. */
void latch_take_tls(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                    size_t len);

#endif
