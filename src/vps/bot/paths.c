#include "vps/bot/paths.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
    /* A connection over which nothing comes back is dead after 11 s, used or idle. */
    KEEPALIVE_IDLE_S = 5,
    KEEPALIVE_EVERY_S = 2,
    KEEPALIVE_PROBES = 3,
    UNACKNOWLEDGED_MS = 10000,
    WITHOUT_V6_MS = 10 * 60 * 1000,
};

/* CURLOPT_SOCKOPTFUNCTION. What the kernel does not know it need not do. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    static const struct {
        int level, name, value;
    } OPTIONS[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
    };
    (void)arg;
    (void)purpose;
    for (unsigned i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        (void)setsockopt(fd, OPTIONS[i].level, OPTIONS[i].name, &OPTIONS[i].value,
                         sizeof OPTIONS[i].value);
    }
    return CURL_SOCKOPT_OK;
}

/* libcurl counts in whole seconds, and 0 is no limit: the first two take new connections. */
static bool only_younger(const struct paths *paths, CURL *easy)
{
    uint64_t ago_s = paths->broken_ms ? (clock_ms() - paths->broken_ms) / 1000 : 0;
    if (paths->broken_ms && ago_s < 2) {
        return !curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
    return !paths->broken_ms ||
           !curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)(ago_s - 1));
}

bool paths_prepare(const struct paths *paths, CURL *easy)
{
    bool without_v6 = clock_ms() < paths->without_v6_until;
    return !curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket) &&
           !curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
                             (long)(without_v6 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_WHATEVER)) &&
           only_younger(paths, easy);
}

/* A new connection was made over IPv6, and not a byte of an answer came. */
static bool was_silent_v6(CURL *easy)
{
    const char *address = NULL;
    long connections = 0, header_size = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &header_size);
    return address && strchr(address, ':') && connections > 0 && header_size == 0;
}

bool paths_learn(struct paths *paths, CURL *easy, CURLcode code)
{
    uint64_t now = clock_ms();
    if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
        return false;
    }
    if (now < paths->without_v6_until &&
        (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)) {
        paths->without_v6_until = 0;
        return true;
    }
    paths->broken_ms = now;
    if (was_silent_v6(easy)) {
        paths->without_v6_until = now + WITHOUT_V6_MS;
    }
    return false;
}
