#include "vps/telegram/http_sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    /* Used or idle, a connection over which nothing comes back is dead after 8 s. */
    KEEPALIVE_IDLE_S = 5,
    KEEPALIVE_EVERY_S = 1,
    KEEPALIVE_PROBES = 3,
    SILENT_MS = 8000,
};

/* What the kernel does not know it need not do. */
static void watch_over(int fd)
{
    static const struct {
        int level, name, value;
    } OPTIONS[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_MS},
    };
    for (unsigned i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        (void)setsockopt(fd, OPTIONS[i].level, OPTIONS[i].name, &OPTIONS[i].value,
                         sizeof OPTIONS[i].value);
    }
}

int http_sockets_open(struct http_sockets *sockets, int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return -1;
    }
    watch_over(fd);
    if (sockets->count < HTTP_SOCKETS_MAX) { /* one that is not listed only dies later */
        sockets->list[sockets->count].fd = fd;
        sockets->list[sockets->count++].opened_ms = clock_ms();
    }
    return fd;
}

/* The kernel gave it up: nobody answered what it asked or sent again. A reset is an answer. */
static bool died_of_silence(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_CLOSE && (info.tcpi_probes > 0 || info.tcpi_retransmits > 0);
}

void http_sockets_close(struct http_sockets *sockets, int fd)
{
    bool silence = died_of_silence(fd);
    uint64_t now = clock_ms();
    unsigned kept = 0;
    for (unsigned i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd == fd) {
            continue;
        }
        /* Not closed, which is curl's to do: it finds the connection ended, and opens another. */
        if (silence && now - sockets->list[i].opened_ms > SILENT_MS) {
            shutdown(sockets->list[i].fd, SHUT_RDWR);
        }
        sockets->list[kept++] = sockets->list[i];
    }
    sockets->count = kept;
    close(fd);
}
