/*
 * watch: readiness of one descriptor on the event loop. Like a timer, it may be
 * freed at any point, even inside its callback; the descriptor stays the
 * owner's and may be closed or given to another thread right afterwards.
 */
#ifndef PAMTUNNEL_BASE_WATCH_H
#define PAMTUNNEL_BASE_WATCH_H

#include <uv.h>

enum watch_events {
    WATCH_READ = UV_READABLE,
    WATCH_WRITE = UV_WRITABLE,
    WATCH_HANGUP = UV_DISCONNECT, /* the peer sent a FIN or an RST */
};

struct watch;
/* `events` are those that hold now; an error on the descriptor shows as all that were asked for. */
typedef void (*watch_fn)(void *arg, int events);

/*
 * Waits for these events from now on. NULL when out of memory or if the descriptor cannot be
 * polled. Uses the loop's `data` for itself.
 */
struct watch *watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);
/* The same, asleep until watch_set(). */
struct watch *watch_new(uv_loop_t *loop, int fd, watch_fn fn, void *arg);
/* Waits for these events from now on; 0 is asleep. Level-triggered. */
void watch_set(struct watch *watch, int events);
uv_loop_t *watch_loop(const struct watch *watch);
/* Accepts NULL. */
void watch_free(struct watch *watch);

#endif
