#include "data/window.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef SO_BUF_LOCK /* Linux 5.14 */
#define SO_BUF_LOCK 72
#endif

enum {
    LOCK_RCVBUF = 2, /* SOCK_RCVBUF_LOCK of <linux/socket.h> */
    UNBOUNDED = 1 << 30,
    /* The kernel counts packets with all that is around them; half is what it assumes at first. */
    OVERHEAD = 2,
    /* Free space of a buffer for which no peer sends anything. */
    SLIVER = 4 * 1024,
};

static bool window_option(int fd, int level, int option, uint32_t value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool window_lock(struct window *window, int fd, bool locked)
{
    if (window->locked == locked) {
        return true;
    }
    if (!window_option(fd, SOL_SOCKET, SO_BUF_LOCK, locked ? LOCK_RCVBUF : 0)) {
        return false;
    }
    window->locked = locked;
    return true;
}

static void window_set_clamp(struct window *window, int fd, uint32_t clamp)
{
    if (window->clamp == clamp) {
        return;
    }
    window->clamp = clamp;
    window_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, clamp != 0 ? clamp : UNBOUNDED);
}

/* Bytes in the receive buffer and its size, both as the kernel counts them. */
static bool window_buffer(int fd, uint32_t *ret_held, uint32_t *ret_size)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0) {
        return false;
    }
    *ret_held = info[SK_MEMINFO_RMEM_ALLOC];
    *ret_size = info[SK_MEMINFO_RCVBUF];
    return true;
}

static void window_resize(struct window *window, int fd, uint32_t size)
{
    window->resized = true;
    window_option(fd, SOL_SOCKET, SO_RCVBUF, size / 2); /* socket(7): the kernel doubles it */
}

void window_hold_near(struct window *window, int fd, uint32_t room, bool quiet)
{
    uint32_t held, size, least = room * OVERHEAD;
    window_set_clamp(window, fd, room);
    if (!window_lock(window, fd, true) || !window_buffer(fd, &held, &size)) {
        return;
    }
    bool full = held + SLIVER >= size;
    if (size < least - least / 4 || (size > least + least / 2 && full && quiet)) {
        window_resize(window, fd, least);
    }
}

void window_hold_far(struct window *window, int fd, uint32_t under_way, uint32_t waiting)
{
    uint32_t held = 0, size;
    window_lock(window, fd, true);
    window_buffer(fd, &held, &size);
    uint32_t most = under_way + waiting, waits = held / OVERHEAD;
    window_set_clamp(window, fd, waits < most - under_way / 2 ? most - waits : under_way / 2);
}

void window_open(struct window *window, int fd)
{
    if (window->resized) {
        window_resize(window, fd, UNBOUNDED); /* to what rmem_max allows */
        window->resized = false;
    }
    window_lock(window, fd, false);
    window_set_clamp(window, fd, 0);
}
