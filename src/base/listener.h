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
/* fd is the callee's. The listener may be freed in here. */
typedef void (*listener_fn)(void *arg, int fd, const struct addr *peer);

/* Takes over a descriptor of net_listen(). NULL when out of memory: it stays the caller's. */
struct listener *listener_new(uv_loop_t *loop, int fd, listener_fn fn, void *arg);
/* Closes it. Accepts NULL. */
void listener_free(struct listener *listener);

#endif
