/*
 * http: HTTP requests with libcurl on the event loop. Only POST, since that is all
 * the Bot API needs. URLs hold the bot token: they never appear in an error.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_HTTP_H
#define PAMTUNNEL_VPS_TELEGRAM_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http;

/*
 * proxy has the form that base/proxy.h checks; "": what the environment says. It may hold a
 * password, and appears in no error. 0 or -errno.
 */
int http_new(uv_loop_t *loop, const char *proxy, struct http **ret_http);
/* Cancels what is under way. Not from inside an http_fn. Accepts NULL. */
void http_free(struct http *http);
/* The file or folder with the certificates that HTTPS servers are checked with; "" if the system
 * has none and those built in are used. */
const char *http_ca_file(const struct http *http);

/* A part of a multipart/form-data body. */
struct http_part {
    const char *name;
    const void *data;
    size_t len;
    const char *file_name; /* NULL: a plain field */
    const char *type;      /* of the file */
};

/* Either JSON text, or parts. Copied by http_post(). */
struct http_body {
    const char *json;
    const struct http_part *parts;
    unsigned part_count;
};

struct http_reply {
    const char *failure; /* NULL, or in words why there was no answer; the rest is then 0 */
    long status;
    uint32_t retry_after_s; /* of the header Retry-After; 0: none */
    int64_t server_unix;    /* of the header Date; 0: none */
    const char *body;       /* NUL-terminated, at most HTTP_BODY_MAX bytes */
    size_t len;
};

enum { HTTP_BODY_MAX = 4 << 20 };

struct http_request;
/* Called once, from the loop; the request is gone afterwards. */
typedef void (*http_fn)(void *arg, const struct http_reply *reply);

/* NULL when out of memory or if the URL is not one. timeout_ms is for the whole request. */
struct http_request *http_post(struct http *http, const char *url, const struct http_body *body,
                               uint32_t timeout_ms, http_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void http_cancel(struct http_request *request);

#endif
