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
 * fd is the callee's; peer is NULL for a Unix socket. The listener may be freed in here. If a
 * spare descriptor is kept, fd may be -errno: none is left, and closing something would help.
 */
typedef void (*listener_fn)(void *arg, int fd, const struct addr *peer);

/*
 * Takes over a descriptor that listens, of TCP or a Unix socket. NULL when out of memory:
 * it stays the caller's.
 */
struct listener *listener_new(uv_loop_t *loop, int fd, listener_fn fn, void *arg);
/*
 * Keeps one descriptor in reserve for when there is no other: one more connection then gets in.
 * To be called again whenever a descriptor was closed.
 */
void listener_keep_spare(struct listener *listener);
uv_loop_t *listener_loop(const struct listener *listener);
/* Closes it. Accepts NULL. */
void listener_free(struct listener *listener);

#endif
