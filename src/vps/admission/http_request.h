/*
 * http_request: the head of a browser's request (RFC 9112), as far as the page at a public port
 * (latch.h) has to know it. Pure.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_HTTP_REQUEST_H
#define PAMTUNNEL_VPS_ADMISSION_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A browser may bring the cookies of whatever else is at that host. */
enum { HTTP_REQUEST_MAX = 4096 };

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

struct http_request {
    enum http_method method;
    bool wants_german; /* of German and English it names German first */
    bool is_foreign;   /* a page of another origin has the browser ask, as far as that says so */
};

/*
 * 0: it is whole, with the empty line at its end. -EAGAIN: more has to come. -EBADMSG: that is
 * no request of HTTP/1.x, or is longer than HTTP_REQUEST_MAX. What follows the head is not
 * looked at.
 */
int http_request_parse(const uint8_t *data, size_t len, struct http_request *ret_request);

/*
 * How many more bytes may be read behind these before it is clear whether they begin a request
 * for "/KEY"; 0: they do; -EBADMSG: they do not. A key of that length has letters and digits alone,
 * and is compared in the same time wherever it differs.
 */
long http_request_missing(const uint8_t *data, size_t len, const char *key, size_t key_len);

/*
 * The key of a whole head of a request for "/KEY", if it has as many letters and digits as
 * key_len. False: it is for something else.
 */
bool http_request_key(const uint8_t *data, size_t len, size_t key_len, char *ret_key);

#endif
