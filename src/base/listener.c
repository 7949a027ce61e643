#include "base/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/timer.h"
#include "base/watch.h"

enum { REST_MS = 200 };

struct listener {
    int fd;
    struct watch *watch;
    struct timer *rest;
    listener_fn fn;
    void *arg;
};

static void on_connection(void *arg, int events)
{
    struct listener *listener = arg;
    (void)events;
    struct addr peer;
    int fd = net_accept(listener->fd, &peer);
    if (fd >= 0) {
        listener->fn(listener->arg, fd, &peer);
    } else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
        watch_set(listener->watch, 0);
        timer_set(listener->rest, REST_MS);
    }
}

static void on_rested(void *arg)
{
    struct listener *listener = arg;
    watch_set(listener->watch, WATCH_READ);
}

struct listener *listener_new(uv_loop_t *loop, int fd, listener_fn fn, void *arg)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        return NULL;
    }
    *listener = (struct listener){.fd = fd, .fn = fn, .arg = arg};
    listener->watch = watch_new(loop, fd, on_connection, listener);
    listener->rest = timer_new(loop, on_rested, listener);
    if (!listener->watch || !listener->rest) {
        listener->fd = -1; /* stays the caller's */
        listener_free(listener);
        return NULL;
    }
    watch_set(listener->watch, WATCH_READ);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (!listener) {
        return;
    }
    watch_free(listener->watch);
    timer_free(listener->rest);
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    free(listener);
}
