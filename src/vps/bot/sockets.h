/*
 * sockets: those of libcurl's connections. They are watched closely, and when one dies of
 * silence all that are older are ended: libcurl would try the request once more by itself,
 * over the next one of its pool, which died at the same time and does not know it yet.
 */
#ifndef PAMTUNNEL_VPS_BOT_SOCKETS_H
#define PAMTUNNEL_VPS_BOT_SOCKETS_H

#include <stdint.h>

enum { SOCKETS_MAX = 32 };

/* Zero-initialised is ready for use. */
struct sockets {
    struct {
        int fd;
        uint64_t opened_ms;
    } list[SOCKETS_MAX];
    unsigned count;
};

/* Opens one. -1 with errno. */
int sockets_open(struct sockets *sockets, int family, int type, int protocol);
void sockets_close(struct sockets *sockets, int fd);

#endif
