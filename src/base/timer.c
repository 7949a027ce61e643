#include "base/timer.h"

#include <stdlib.h>

struct timer {
    uv_timer_t handle;
    timer_fn fn;
    void *arg;
};

struct timer *timer_new(uv_loop_t *loop, timer_fn fn, void *arg)
{
    struct timer *timer = malloc(sizeof *timer);
    if (!timer) {
        return NULL;
    }
    timer->fn = fn;
    timer->arg = arg;
    uv_timer_init(loop, &timer->handle);
    timer->handle.data = timer;
    return timer;
}

static void on_timeout(uv_timer_t *handle)
{
    struct timer *timer = handle->data;
    timer->fn(timer->arg);
}

void timer_set(struct timer *timer, uint64_t ms)
{
    /* The loop's idea of now may be old by the length of this turn. */
    uv_update_time(timer->handle.loop);
    uv_timer_start(&timer->handle, on_timeout, ms, 0);
}

void timer_stop(struct timer *timer)
{
    uv_timer_stop(&timer->handle);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void timer_free(struct timer *timer)
{
    if (timer) {
        /* libuv will not call back, but it holds the handle until the loop's next turn. */
        uv_close((uv_handle_t *)&timer->handle, on_closed);
    }
}
