/*
 * window: how much a socket's peer may have under way to us or waiting here. It can be
 * made small, and be given back to the kernel, which otherwise lets it grow as long as
 * it is read fast.
 *
 * Two things bound it, and each alone does not: what the peer may send beyond what has
 * arrived (TCP_WINDOW_CLAMP, tcp(7)), and the receive buffer, which holds what has
 * arrived (SO_RCVBUF, and SO_BUF_LOCK of Linux 5.14, which allows the kernel to make it
 * larger again). The kernel drops what does not fit into a buffer that was made smaller,
 * and the peer sends it again 200 ms later; so it is made smaller only when nothing
 * that was promised can be on its way.
 */
#ifndef PAMTUNNEL_DATA_WINDOW_H
#define PAMTUNNEL_DATA_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: as the kernel likes. */
struct window {
    uint64_t promised; /* bytes received by when no more than the room is under way */
    uint32_t room;     /* 0: as the kernel likes */
    uint32_t clamp;    /* less than the room while more waits than there should be */
    bool locked : 1;   /* the buffer keeps its size */
    bool capped : 1;   /* rmem_max does not let us make it as large as it has to be */
};

/* What is known of the socket at the moment. */
struct window_news {
    uint64_t received; /* tcpi_bytes_received */
    bool quiet;        /* nothing was read for more than a round trip, though there was something */
};

/*
 * Makes room for so many bytes; again and again, since a buffer cannot be made smaller
 * at any time.
 */
void window_set(struct window *window, int fd, uint32_t room, const struct window_news *news);
/* Gives it back to the kernel. */
void window_open(struct window *window, int fd);

#endif
