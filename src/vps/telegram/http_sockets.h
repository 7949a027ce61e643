/*
 * http_sockets: those of libcurl's connections. When one dies of silence, all older ones are
 * ended, too: libcurl would retry the request by itself over the next one of its pool,
 * which died at the same time and does not know it yet.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_HTTP_SOCKETS_H
#define PAMTUNNEL_VPS_TELEGRAM_HTTP_SOCKETS_H

#include <stdint.h>

enum { HTTP_SOCKETS_MAX = 32 };

/* Zero-initialised is ready for use. */
struct http_sockets {
    struct {
        int fd;
        uint64_t opened_ms;
    } list[HTTP_SOCKETS_MAX];
    unsigned count;
};

/* Opens one. -1 with errno. */
int http_sockets_open(struct http_sockets *sockets, int family, int type, int protocol);
void http_sockets_close(struct http_sockets *sockets, int fd);

#endif
