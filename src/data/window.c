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

/* False before Linux 5.14: the buffer is the kernel's then, and only the clamp is ours. */
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

static void window_resize(int fd, uint32_t size)
{
    window_option(fd, SOL_SOCKET, SO_RCVBUF, size / 2); /* socket(7): the kernel doubles it */
}

/* What the peer may have been told that it can send. */
static uint32_t window_promise(const struct window *window, int fd)
{
    uint32_t held, size;
    if (window->clamp != 0) {
        return window->clamp;
    }
    return window_buffer(fd, &held, &size) ? size : UNBOUNDED;
}

static void window_clamp(struct window *window, int fd, uint32_t clamp, uint64_t received)
{
    if (window->clamp != clamp) {
        window->promised = received + window_promise(window, fd);
        window->clamp = clamp;
        window_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, clamp != 0 ? clamp : UNBOUNDED);
    }
}

static void window_shrink(const struct window *window, int fd, uint32_t held, uint32_t size,
                          const struct window_news *news)
{
    uint32_t least = window->room * OVERHEAD;
    uint32_t safe = held + least + least / 2;
    if (news->quiet && held + SLIVER >= size) {
        window_resize(fd, least); /* it is full, and its sender has noticed */
    } else if (news->received >= window->promised && safe < size) {
        window_resize(fd, safe);
    }
}

static void window_grow(struct window *window, int fd, uint32_t least)
{
    uint32_t held, size;
    if (!window->capped) {
        window_resize(fd, least);
        window->capped = window_buffer(fd, &held, &size) && size < least;
    }
    if (window->capped) {
        window_lock(window, fd, false); /* the kernel may go beyond rmem_max */
    }
}

/* The buffer is to have room for what the sender may have under way, and not much more. */
static void window_fit(struct window *window, int fd, uint32_t held, uint32_t size,
                       const struct window_news *news)
{
    uint32_t least = window->room * OVERHEAD;
    if (!window_lock(window, fd, true)) {
        return;
    }
    if (size > least + least / 2) {
        window_shrink(window, fd, held, size, news);
    } else if (size < least - least / 4) {
        window_grow(window, fd, least);
    }
}

static bool window_differs(const struct window *window, uint32_t room)
{
    return room > window->room + window->room / 8 || room < window->room - window->room / 8;
}

void window_set(struct window *window, int fd, uint32_t room, const struct window_news *news)
{
    uint32_t held = 0, size = 0;
    if (window_differs(window, room)) {
        window->room = room;
    }
    if (window_buffer(fd, &held, &size)) {
        window_fit(window, fd, held, size, news);
    }
    /* With half of what it needs under way, a sender sends less than is read: the rest drains. */
    bool drains = held > window->room * OVERHEAD;
    window_clamp(window, fd, drains ? window->room / 2 : window->room, news->received);
}

void window_open(struct window *window, int fd)
{
    window_lock(window, fd, false);
    window->room = 0;
    window_clamp(window, fd, 0, 0);
}
