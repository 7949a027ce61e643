#include "base/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/timer.h"
#include "base/watch.h"

enum { REST_MS = 200 };

/* In place of a spare descriptor. */
enum { SPARE_UNWANTED = -2, SPARE_GIVEN_AWAY = -1 };

/* There are as many as sessions. */
struct listener {
    int fd;
    int spare;
    struct watch *watch;
    struct timer *rest; /* NULL until the first */
    listener_fn fn;
    void *arg;
};

static int accept_one(struct listener *listener, struct addr *ret_peer)
{
    int fd = net_accept(listener->fd, ret_peer);
    /* Give up the spare one, and take the connection with it, before anybody else gets it. */
    if ((fd == -EMFILE || fd == -ENFILE) && listener->spare >= 0) {
        close(listener->spare);
        listener->spare = SPARE_GIVEN_AWAY;
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
        listener->rest = timer_new(listener_loop(listener), on_rested, listener);
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
        if (listener->spare != SPARE_UNWANTED) {
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
    *listener = (struct listener){.fd = fd, .spare = SPARE_UNWANTED, .fn = fn, .arg = arg};
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
    if (listener->spare < 0) {
        int fd = eventfd(0, EFD_CLOEXEC);
        listener->spare = fd < 0 ? SPARE_GIVEN_AWAY : fd;
    }
}

uv_loop_t *listener_loop(const struct listener *listener)
{
    return watch_loop(listener->watch);
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
