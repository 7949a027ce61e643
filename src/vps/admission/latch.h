/*
 * latch: a session's link. Its public port answers a browser that asks for "/KEY" with a page
 * that names the visitor's address; the page's button (POST) lets that address in, and nothing else
 * does: links are fetched by previews and scanners, too. Each conversation is one request and
 * one answer, within LATCH_PATIENCE_MS.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_LATCH_H
#define PAMTUNNEL_VPS_ADMISSION_LATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/net.h"
#include "vps/admission/latch_page.h"

enum {
    LATCH_KEY_LEN = 32, /* of crypto_random_name(): 160 bits */
    LATCH_PATIENCE_MS = 5000,
    LATCH_TALKS_MAX = 8,       /* at once; then the oldest goes */
    LATCH_DRAIN_MAX = 1 << 16, /* bytes behind the request that are read and forgotten */
    LATCH_READERS_MAX = 8,     /* parties that are remembered */
};

struct latch_events {
    /*
     * What the page is to say. pressed: somebody at that address has pressed the button, and
     * `opened` follows if the page says LATCH_OPEN. A question, which changes nothing.
     */
    void (*page)(void *arg, const struct addr *from, bool pressed, struct latch_page *ret_page);
    /*
     * That address is let in from now on; the page about it is on its way. May free the latch.
     */
    void (*opened)(void *arg, const struct addr *from);
};

struct latch;

/* key: LATCH_KEY_LEN letters and digits; it and the events outlive the latch. NULL: no memory. */
struct latch *latch_new(uv_loop_t *loop, const char *key, const struct latch_events *events,
                        void *arg);
/* Hangs up on all. Accepts NULL. */
void latch_free(struct latch *latch);

/*
 * Whether these bytes begin a request for the page: see http_request_missing(). Whoever asks for
 * another page is a stranger like any other.
 */
long latch_missing(const struct latch *latch, const uint8_t *data, size_t len);
/* Whether that party has asked for the page, at since_ms (of clock_ms()) or later. */
bool latch_was_read(const struct latch *latch, const struct addr *from, uint64_t since_ms);
/* Takes over who asked for it, with what was read so far, at most HTTP_REQUEST_MAX bytes. */
void latch_take(struct latch *latch, int fd, const struct addr *from, const uint8_t *bytes,
                size_t len);

#endif
