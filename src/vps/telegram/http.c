/*
 * libcurl's multi interface on our loop: curl says which sockets to watch (on_socket) and when
 * to be called (on_timer), and is told of both (on_events, on_timeout). What is done is then
 * collected in one place. A request is in the list from its start until it is collected or
 * cancelled.
 *
 * Re-entrancy: callbacks run from collect() only, never from inside curl; they may post and cancel
 * other requests, but not free the http. Their own request is out of the list by then.
 *
 * HTTP/1.1 has a connection for each request under way, so that one that dies takes no other with
 * it, and the turns that architecture.md gives to the bot's parts can be counted in connections.
 */
#include "vps/telegram/http.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/crypto.h"
#include "base/timer.h"
#include "base/watch.h"
#include "vps/telegram/http_body.h"
#include "vps/telegram/http_paths.h"
#include "vps/telegram/http_proxy.h"
#include "vps/telegram/trust.h"

/*
 * As many connections as the bot's parts can need at once: one for the poll, one kept warm,
 * and what calls.c and outbox.c allow themselves. So that none waits for another's.
 */
enum { CONNECT_TIMEOUT_MS = 10000, CONNECTIONS_MAX = 16 };

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    struct timer *timer;
    struct http_request *requests;
    struct watched_socket *watched;
    struct trust *trust;
    struct http_paths paths;
    char *proxy;
};

/* A socket of curl's that it wants to be watched. */
struct watched_socket {
    struct http *http;
    struct watched_socket *next;
    curl_socket_t fd;
    struct watch *watch;
};

struct http_request {
    struct http *http;
    struct http_request *next;
    CURL *easy;
    struct curl_slist *headers;
    curl_mime *mime;
    http_fn fn;
    void *arg;
    char *body;
    size_t len, cap;
    bool too_large;
    int64_t server_unix;
    struct http_paths_try attempt;
};

/* --- requests --- */

static void request_free(struct http_request *request)
{
    struct http_request **link = &request->http->requests;
    while (*link && *link != request) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = request->next;
        curl_multi_remove_handle(request->http->multi, request->easy);
    }
    curl_easy_cleanup(request->easy);
    curl_mime_free(request->mime);
    curl_slist_free_all(request->headers);
    free(request->body);
    free(request);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_request *request = arg;
    size_t len = size * count;
    if (len > HTTP_BODY_MAX - request->len) {
        request->too_large = true;
        return 0;
    }
    if (request->len + len + 1 > request->cap) {
        size_t cap = 2 * (request->len + len) + 1;
        char *body = realloc(request->body, cap);
        if (!body) {
            return 0;
        }
        request->body = body;
        request->cap = cap;
    }
    memcpy(request->body + request->len, data, len);
    request->len += len;
    request->body[request->len] = '\0';
    return len;
}

/* The one header that is wanted, of the last answer: by the server's clock, when it was sent. */
static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    static const char NAME[] = "date:";
    struct http_request *request = arg;
    size_t len = size * count;
    char date[64];
    if (len > sizeof NAME && len < sizeof date && strncasecmp(line, NAME, sizeof NAME - 1) == 0) {
        memcpy(date, line + sizeof NAME - 1, len - sizeof NAME + 1);
        date[len - sizeof NAME + 1] = '\0';
        time_t when = curl_getdate(date, NULL);
        request->server_unix = when > 0 ? when : 0;
    }
    return len;
}

static bool set_headers(struct http_request *request, const struct http_body *body)
{
    /* Without "Expect: 100-continue": it costs a round trip. */
    request->headers = curl_slist_append(NULL, "Expect:");
    bool ok = request->headers != NULL;
    if (ok && body->json) {
        ok = curl_slist_append(request->headers, "Content-Type: application/json") != NULL;
    }
    return ok && !curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
}

/* NOSIGNAL: curl's own time-outs would be signals, in a process of many threads. */
static bool set_options(struct http_request *request, const char *url, uint32_t timeout_ms)
{
    CURL *easy = request->easy;
    return !curl_easy_setopt(easy, CURLOPT_PRIVATE, request) &&
           !curl_easy_setopt(easy, CURLOPT_URL, url) &&
           !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           !curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           !trust_set(request->http->trust, easy) && http_proxy_set(easy, request->http->proxy) &&
           !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           http_paths_prepare(&request->http->paths, easy, &request->attempt) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) &&
           !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
}

struct http_request *http_post(struct http *http, const char *url, const struct http_body *body,
                               uint32_t timeout_ms, http_fn fn, void *arg)
{
    struct http_request *request = calloc(1, sizeof *request);
    if (!request) {
        return NULL;
    }
    request->http = http;
    request->fn = fn;
    request->arg = arg;
    request->easy = curl_easy_init();
    if (!request->easy || !set_options(request, url, timeout_ms) || !set_headers(request, body) ||
        !http_body_set(request->easy, body, &request->mime) ||
        curl_multi_add_handle(http->multi, request->easy) != CURLM_OK) {
        request_free(request);
        return NULL;
    }
    request->next = http->requests;
    http->requests = request;
    return request;
}

void http_cancel(struct http_request *request)
{
    if (request) {
        request_free(request);
    }
}

/* libcurl's words for its codes: unlike its error buffer they never quote anything. */
static const char *failure_text(const struct http_request *request, CURLcode code)
{
    if (request->too_large) {
        return "the answer is too large";
    }
    const char *proxy_trouble = http_proxy_trouble(request->easy, code);
    if (proxy_trouble) {
        return proxy_trouble;
    }
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "no answer in time";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "the server's name does not resolve";
    case CURLE_COULDNT_CONNECT:
        return "the server cannot be reached";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "the server's certificate is not trusted";
    case CURLE_SSL_CACERT_BADFILE:
        return "the authorities' certificates cannot be read (SSL_CERT_FILE?)";
    case CURLE_GOT_NOTHING:
        return "the server closed the connection";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return "the connection broke";
    default:
        return curl_easy_strerror(code);
    }
}

static void request_finish(struct http_request *request, CURLcode code)
{
    struct http_reply reply = {0};
    reply.failure = code != CURLE_OK ? failure_text(request, code)
                                     : http_proxy_trouble(request->easy, code);
    if (!reply.failure) {
        curl_off_t retry_after = 0;
        curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &reply.status);
        curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
        if (retry_after > 0) {
            reply.retry_after_s = retry_after < INT_MAX ? (uint32_t)retry_after : INT_MAX;
        }
        reply.server_unix = request->server_unix;
        reply.body = request->body ? request->body : "";
        reply.len = request->len;
    }
    request->fn(request->arg, &reply);
}

/* Out of the list, so that nobody can cancel it from the callback. */
static void request_unlist(struct http_request *request)
{
    struct http_request **link = &request->http->requests;
    while (*link != request) {
        link = &(*link)->next;
    }
    *link = request->next;
}

/* Once more over the other family. */
static bool request_again(struct http_request *request)
{
    return http_paths_prepare(&request->http->paths, request->easy, &request->attempt) &&
           curl_multi_add_handle(request->http->multi, request->easy) == CURLM_OK;
}

/* Reports what is done. The callbacks may start and cancel other requests. */
static void collect(struct http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        struct http_request *request = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        curl_multi_remove_handle(http->multi, request->easy);
        if (!http_paths_learn(&http->paths, request->easy, &request->attempt, code) ||
            !request_again(request)) {
            request_unlist(request);
            request_finish(request, code);
            request_free(request);
        }
    }
}

/* --- curl's sockets and its timer on the loop --- */

static void socket_free(struct watched_socket *s)
{
    struct watched_socket **link = &s->http->watched;
    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    watch_free(s->watch);
    free(s);
}

static void on_events(void *arg, int events)
{
    struct watched_socket *s = arg; /* may be gone after curl's turn */
    struct http *http = s->http;
    int flags = (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
                (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(http->multi, s->fd, flags, &running);
    collect(http);
}

static struct watched_socket *socket_new(struct http *http, curl_socket_t fd)
{
    struct watched_socket *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->http = http;
    s->fd = fd;
    s->watch = watch_new(http->loop, fd, on_events, s);
    if (!s->watch) {
        free(s);
        return NULL;
    }
    s->next = http->watched;
    http->watched = s;
    return s;
}

/* CURLMOPT_SOCKETFUNCTION: what curl wants to know about a socket from now on. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    (void)easy;
    struct http *http = arg;
    struct watched_socket *s = socket;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            curl_multi_assign(http->multi, fd, NULL);
            socket_free(s);
        }
        return 0;
    }
    if (!s) {
        s = socket_new(http, fd);
        if (!s) {
            return -1;
        }
        curl_multi_assign(http->multi, fd, s);
    }
    watch_set(s->watch,
              (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
    return 0;
}

static void on_timeout(void *arg)
{
    struct http *http = arg;
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(http);
}

/* CURLMOPT_TIMERFUNCTION: curl wants to be called in ms; -1: not at all. */
static int on_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct http *http = arg;
    if (ms < 0) {
        timer_stop(http->timer);
    } else {
        timer_set(http->timer, (uint64_t)ms);
    }
    return 0;
}

/* --- life --- */

static bool set_multi(struct http *http)
{
    CURLM *multi = http->multi;
    return !curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
           !curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http) &&
           !curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
           !curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) &&
           !curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
}

int http_new(uv_loop_t *loop, const char *proxy, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http || curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        free(http);
        return -ENOMEM;
    }
    http->loop = loop;
    http->timer = timer_new(loop, on_timeout, http);
    http->multi = curl_multi_init();
    struct trust_places places = trust_usual_places();
    int err = trust_new(&places, &http->trust);
    http->proxy = strdup(proxy);
    if (err == 0 && (!http->proxy || !http->timer || !http->multi || !set_multi(http))) {
        err = -ENOMEM;
    }
    if (err < 0) {
        http_free(http);
        return err;
    }
    *ret_http = http;
    return 0;
}

const char *http_ca_file(const struct http *http)
{
    return trust_path(http->trust);
}

void http_free(struct http *http)
{
    if (!http) {
        return;
    }
    while (http->requests) {
        request_free(http->requests);
    }
    curl_multi_cleanup(http->multi); /* closes the connections, and may call back about sockets */
    while (http->watched) {
        socket_free(http->watched);
    }
    timer_free(http->timer);
    trust_free(http->trust);
    if (http->proxy) {
        crypto_wipe(http->proxy, strlen(http->proxy));
        free(http->proxy);
    }
    free(http);
    curl_global_cleanup();
}
