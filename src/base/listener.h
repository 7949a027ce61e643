/*
 * listener: a listening socket on the event loop that hands out connections one
 * by one. When the process runs out of descriptors it rests for a moment instead
 * of spinning.
 */
#ifndef PAMTUNNEL_BASE_LISTENER_H
#define PAMTUNNEL_BASE_LISTENER_H

#include <uv.h>

#include "base/net.h"

struct listener;
/*
 * fd is the callee's; no peer for a Unix socket. The listener may be freed in here. With a
 * spare descriptor fd may be -errno: that is in use, and closing something would help.
 */
typedef void (*listener_fn)(void *arg, int fd, const struct addr *peer);

/*
 * Takes over a descriptor that listens, of TCP or a Unix socket. NULL when out of memory:
 * it stays the caller's.
 */
struct listener *listener_new(uv_loop_t *loop, int fd, listener_fn fn, void *arg);
/*
 * Keeps one descriptor back for the day when there is no other: a connection gets that,
 * and is the last one. To be called again when one was closed.
 */
void listener_keep_spare(struct listener *listener);
/* Closes it. Accepts NULL. */
void listener_free(struct listener *listener);

#endif
