/*
 * One epoll descriptor of our own for all watches of a loop, and one libuv handle behind
 * that. A libuv handle for each costs six system calls from its first to its last, and
 * sockets here change hands often: door or dock, reserve, relay. This way it is two.
 *
 * The poller hangs at the loop, from its first watch to its last.
 */
#include "base/watch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

struct poller {
    uv_poll_t handle;
    int fd;
    unsigned watches;
    unsigned awake;
    bool dispatching;
    /* Fetched and not yet told, while dispatching: those who are freed meanwhile leave it. */
    struct epoll_event due[EVENTS_PER_TURN];
    int due_count;
};

struct watch {
    struct poller *poller;
    watch_fn fn;
    void *arg;
    int fd;
    int events;
};

/* ---- the poller ------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void poller_free_if_unused(struct poller *poller)
{
    /* While it is dispatching, on_events() still needs it: it asks once more afterwards. */
    if (poller->watches > 0 || poller->dispatching) {
        return;
    }
    poller->handle.loop->data = NULL;
    uv_close((uv_handle_t *)&poller->handle, on_closed);
    close(poller->fd);
}

/* An error, or the end of both directions, is all that was asked for. */
static int events_told(const struct watch *watch, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        return watch->events;
    }
    int told = (events & EPOLLIN ? WATCH_READ : 0) | (events & EPOLLOUT ? WATCH_WRITE : 0) |
               (events & EPOLLRDHUP ? WATCH_HANGUP : 0);
    return told & watch->events;
}

static void on_events(uv_poll_t *handle, int status, int events)
{
    struct poller *poller = handle->data;
    (void)status;
    (void)events;
    poller->dispatching = true;
    poller->due_count = epoll_wait(poller->fd, poller->due, EVENTS_PER_TURN, 0);
    for (int i = 0; i < poller->due_count; i++) {
        struct watch *watch = poller->due[i].data.ptr;
        int told = watch ? events_told(watch, poller->due[i].events) : 0;
        if (told) {
            watch->fn(watch->arg, told);
        }
    }
    poller->due_count = 0;
    poller->dispatching = false;
    poller_free_if_unused(poller);
}

static struct poller *poller_new(uv_loop_t *loop)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller) {
        return NULL;
    }
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0 || uv_poll_init(loop, &poller->handle, poller->fd) < 0) {
        if (poller->fd >= 0) {
            close(poller->fd);
        }
        free(poller);
        return NULL;
    }
    poller->handle.data = poller;
    uv_poll_start(&poller->handle, UV_READABLE, on_events);
    /* libuv's loop ends when no handle holds it; sleeping watches must not. */
    uv_unref((uv_handle_t *)&poller->handle); /* nobody is awake */
    loop->data = poller;
    return poller;
}

/* The loop lives as long as somebody is awake. */
static void count_awake(struct poller *poller, bool was, bool is)
{
    poller->awake = poller->awake + is - was;
    (poller->awake > 0 ? uv_ref : uv_unref)((uv_handle_t *)&poller->handle);
}

/* ---- a watch --------------------------------------------------------------- */

static uint32_t events_asked(int events)
{
    uint32_t asked = (events & WATCH_READ ? EPOLLIN : 0u) | (events & WATCH_WRITE ? EPOLLOUT : 0u) |
                     (events & WATCH_HANGUP ? EPOLLRDHUP : 0u);
    /* An error is always told: to those who sleep just once, and it goes no further. */
    return asked ? asked : EPOLLONESHOT;
}

static int control(struct watch *watch, int operation)
{
    struct epoll_event event = {.events = events_asked(watch->events), .data.ptr = watch};
    return epoll_ctl(watch->poller->fd, operation, watch->fd, &event);
}

struct watch *watch_start(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg)
{
    struct watch *watch = malloc(sizeof *watch);
    struct poller *poller = !watch ? NULL : loop->data ? loop->data : poller_new(loop);
    if (!poller) {
        free(watch);
        return NULL;
    }
    *watch = (struct watch){.poller = poller, .fn = fn, .arg = arg, .fd = fd, .events = events};
    if (control(watch, EPOLL_CTL_ADD) < 0) {
        poller_free_if_unused(poller);
        free(watch);
        return NULL;
    }
    poller->watches++;
    count_awake(poller, false, events != 0);
    return watch;
}

struct watch *watch_new(uv_loop_t *loop, int fd, watch_fn fn, void *arg)
{
    return watch_start(loop, fd, 0, fn, arg);
}

void watch_set(struct watch *watch, int events)
{
    if (events != watch->events) {
        count_awake(watch->poller, watch->events != 0, events != 0);
        watch->events = events;
        control(watch, EPOLL_CTL_MOD);
    }
}

uv_loop_t *watch_loop(const struct watch *watch)
{
    return watch->poller->handle.loop;
}

static void forget_due(struct poller *poller, const struct watch *watch)
{
    for (int i = 0; i < poller->due_count; i++) {
        if (poller->due[i].data.ptr == watch) {
            poller->due[i].data.ptr = NULL;
        }
    }
}

void watch_free(struct watch *watch)
{
    if (!watch) {
        return;
    }
    struct poller *poller = watch->poller;
    epoll_ctl(poller->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    forget_due(poller, watch);
    count_awake(poller, watch->events != 0, false);
    poller->watches--;
    free(watch);
    poller_free_if_unused(poller);
}
