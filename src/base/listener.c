#include "base/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/timer.h"
#include "base/watch.h"

enum { REST_MS = 200 };

struct listener {
    int fd;
    bool keeps_spare;
    int spare; /* -1: none is kept, or it was given away */
    uv_loop_t *loop;
    struct watch *watch;
    struct timer *rest; /* NULL until the first: there are as many listeners as sessions */
    listener_fn fn;
    void *arg;
};

static int accept_one(struct listener *listener, struct addr *ret_peer)
{
    int fd = net_accept(listener->fd, ret_peer);
    /* Give up the spare one, and take the connection with it, before anybody else gets it. */
    if ((fd == -EMFILE || fd == -ENFILE) && listener->spare >= 0) {
        close(listener->spare);
        listener->spare = -1;
        fd = net_accept(listener->fd, ret_peer);
    }
    return fd;
}

static void on_rested(void *arg)
{
    struct listener *listener = arg;
    watch_set(listener->watch, WATCH_READ);
}

static void rest(struct listener *listener)
{
    /* Made at the first need: most listeners never rest. */
    if (!listener->rest) {
        listener->rest = timer_new(listener->loop, on_rested, listener);
    }
    if (listener->rest) {
        watch_set(listener->watch, 0);
        timer_set(listener->rest, REST_MS);
    }
}

static void on_connection(void *arg, int events)
{
    struct listener *listener = arg;
    (void)events;
    struct addr peer;
    int fd = accept_one(listener, &peer);
    if (fd >= 0) {
        listener->fn(listener->arg, fd, peer.sa.sa_family != AF_UNSPEC ? &peer : NULL);
    } else if (fd != -EAGAIN) {
        /* The connection stays in the queue, and so does the reason: EMFILE, ENOMEM, … */
        rest(listener);
        if (listener->keeps_spare) {
            listener->fn(listener->arg, fd, NULL);
        }
    }
}

struct listener *listener_new(uv_loop_t *loop, int fd, listener_fn fn, void *arg)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        return NULL;
    }
    *listener = (struct listener){.fd = fd, .spare = -1, .loop = loop, .fn = fn, .arg = arg};
    listener->watch = watch_start(loop, fd, WATCH_READ, on_connection, listener);
    if (!listener->watch) {
        listener->fd = -1; /* stays the caller's */
        listener_free(listener);
        return NULL;
    }
    return listener;
}

void listener_keep_spare(struct listener *listener)
{
    listener->keeps_spare = true;
    if (listener->spare < 0) {
        listener->spare = eventfd(0, EFD_CLOEXEC);
    }
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
    if (listener->spare >= 0) {
        close(listener->spare);
    }
    free(listener);
}
