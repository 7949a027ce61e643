#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static const int NUMBERS[] = {SIGTERM, SIGINT, SIGHUP};
enum { CAUGHT = sizeof NUMBERS / sizeof *NUMBERS };

struct signals {
    uv_signal_t handles[CAUGHT];
    unsigned open; /* so many of the handles are the loop's */
    signals_fn fn;
    void *arg;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;
    signals->fn(signals->arg, number);
}

static int catch_one(struct signals *signals, uv_loop_t *loop, int number)
{
    uv_signal_t *handle = &signals->handles[signals->open];
    int err = uv_signal_init(loop, handle);
    if (err < 0) {
        return err;
    }
    handle->data = signals;
    signals->open++;
    return uv_signal_start(handle, on_signal, number);
}

int signals_catch(uv_loop_t *loop, signals_fn fn, void *arg, struct signals **ret_signals)
{
    struct signals *signals = calloc(1, sizeof *signals);
    int err = signals ? 0 : -ENOMEM;
    if (signals) {
        signals->fn = fn;
        signals->arg = arg;
    }
    for (unsigned i = 0; i < CAUGHT && err == 0; i++) {
        err = catch_one(signals, loop, NUMBERS[i]);
    }
    if (err < 0) {
        signals_free(signals);
        return err;
    }
    *ret_signals = signals;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct signals *signals = handle->data;
    if (--signals->open == 0) {
        free(signals);
    }
}

void signals_free(struct signals *signals)
{
    if (!signals) {
        return;
    }
    if (signals->open == 0) {
        free(signals);
        return;
    }
    for (unsigned i = signals->open; i-- > 0;) {
        uv_close((uv_handle_t *)&signals->handles[i], on_closed);
    }
    signal(SIGHUP, SIG_IGN); /* a manager's late reload must not cut the stopping short */
}
