#include "vps/telegram/http_paths.h"

#include <sys/socket.h>

#include "base/clock.h"

enum {
    WITHOUT_V6_MS = 10 * 60 * 1000, /* a time-out in ten minutes is what trying IPv6 again costs */
    SILENT_V4_MAX = 2,              /* one may be connections that died */
};

/* CURLOPT_OPENSOCKETFUNCTION: for each address that is tried. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_paths_try *attempt = arg;
    (void)purpose;
    attempt->opened_v4 = attempt->opened_v4 || address->family == AF_INET;
    attempt->opened_v6 = attempt->opened_v6 || address->family == AF_INET6;
    int fd = http_sockets_open(&attempt->paths->sockets, address->family, address->socktype,
                               address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION, even of connections whose request is long over. */
static int on_close(void *arg, curl_socket_t fd)
{
    struct http_paths *paths = arg;
    http_sockets_close(&paths->sockets, fd);
    return 0;
}

/* libcurl counts in whole seconds, and 0 is no limit: the first two take new connections. */
static bool only_younger(const struct http_paths *paths, CURL *easy)
{
    uint64_t ago_s = paths->broken_ms ? (clock_ms() - paths->broken_ms) / 1000 : 0;
    if (paths->broken_ms && ago_s < 2) {
        return !curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
    return !paths->broken_ms ||
           !curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)(ago_s - 1));
}

bool http_paths_prepare(struct http_paths *paths, CURL *easy, struct http_paths_try *attempt)
{
    bool without_v6 = clock_ms() < paths->without_v6_until;
    *attempt = (struct http_paths_try){.paths = paths, .began_ms = clock_ms()};
    return !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) &&
           !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, attempt) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) &&
           !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, paths) &&
           !curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
                             (long)(without_v6 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_WHATEVER)) &&
           only_younger(paths, easy);
}

bool http_paths_learn(struct http_paths *paths, CURL *easy, const struct http_paths_try *attempt,
                      CURLcode code)
{
    uint64_t now = clock_ms();
    long header_size = 0;
    if (code == CURLE_OK ||
        code == CURLE_WRITE_ERROR) { /* the latter is an answer that we refused */
        paths->silent_v4 = 0;
        return false;
    }
    if (now < paths->without_v6_until &&
        (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)) {
        paths->without_v6_until = 0;
        return true;
    }
    /* Requests that were under way together fail together: that counts once. */
    bool another = attempt->began_ms >= paths->broken_ms;
    paths->broken_ms = now;
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &header_size);
    if (header_size == 0 && attempt->opened_v6) {
        paths->without_v6_until = now + WITHOUT_V6_MS;
        paths->silent_v4 = 0;
    } else if (header_size == 0 && attempt->opened_v4 && another &&
               ++paths->silent_v4 >= SILENT_V4_MAX) {
        paths->without_v6_until = 0; /* it is no better */
    }
    return false;
}
