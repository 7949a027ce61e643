/*
 * window: how much from a socket's peer may be on its way to us or wait here. It is kept
 * short while the bytes cannot go on, and given back to the kernel, which lets it grow
 * as long as it is read fast.
 *
 * Two things bound it. TCP_WINDOW_CLAMP (tcp(7)) is what the peer may send beyond what
 * has arrived, however much of that waits. The receive buffer is what can wait; it can
 * only be made smaller where that can be undone: the kernel lets a buffer grow when more
 * is read in a round trip than ever before, and we can make it larger up to rmem_max.
 * That is enough for a peer that is near. With one that is far the clamp alone has to
 * do, and does, since that peer cannot fill the buffer between two looks at it.
 *
 * Before Linux 5.14 (SO_BUF_LOCK) there is only the clamp, which the kernel raises when
 * it lets the buffer grow.
 */
#ifndef PAMTUNNEL_DATA_WINDOW_H
#define PAMTUNNEL_DATA_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: as the kernel likes. */
struct window {
    uint32_t clamp;   /* 0: as the kernel likes */
    bool locked : 1;  /* the buffer does not grow */
    bool resized : 1; /* it is no longer as the kernel had it */
};

/*
 * Of a peer that is near: it may fill `room`. quiet: nothing was read for longer than a
 * round trip, so what it could send has arrived; the kernel drops what does not fit into
 * a buffer that was made smaller, and the peer would send that again 200 ms later.
 */
void window_hold_near(struct window *window, int fd, uint32_t room, bool quiet);
/*
 * Of a peer that is far: so much is to be under way and so much to wait. When more waits,
 * less may be under way until it is gone.
 */
void window_hold_far(struct window *window, int fd, uint32_t under_way, uint32_t waiting);
/* Gives it back to the kernel. */
void window_open(struct window *window, int fd);

#endif
