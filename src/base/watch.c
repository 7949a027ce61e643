#include "base/watch.h"

#include <stdlib.h>

struct watch {
    uv_poll_t handle;
    watch_fn fn;
    void *arg;
    int events;
};

struct watch *watch_new(uv_loop_t *loop, int fd, watch_fn fn, void *arg)
{
    struct watch *watch = malloc(sizeof *watch);
    if (!watch) {
        return NULL;
    }
    *watch = (struct watch){.fn = fn, .arg = arg};
    if (uv_poll_init(loop, &watch->handle, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->handle.data = watch;
    return watch;
}

static void on_events(uv_poll_t *handle, int status, int events)
{
    struct watch *watch = handle->data;
    if (status < 0) {
        /*
         * libuv has stopped it. But an RST may stand behind bytes that are still to
         * be read, and the owner may take only some at a time.
         */
        events = watch->events;
        uv_poll_start(handle, events, on_events);
    }
    watch->fn(watch->arg, events);
}

void watch_set(struct watch *watch, int events)
{
    if (events == watch->events) {
        return;
    }
    watch->events = events;
    if (events == 0) {
        uv_poll_stop(&watch->handle);
    } else {
        uv_poll_start(&watch->handle, events, on_events);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void watch_free(struct watch *watch)
{
    if (watch) {
        uv_close((uv_handle_t *)&watch->handle, on_closed);
    }
}
