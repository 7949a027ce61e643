#include "vps/session/trial.h"

#include <linux/sockios.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/timer.h"
#include "base/watch.h"

struct trial {
    int data;
    bool sent; /* all of the bytes; a channel that never took a byte takes these, or is broken */
    uint64_t since_ms;
    struct watch *watch;
    struct timer *timer;
    trial_fn fn;
    void *arg;
};

static void give_verdict(struct trial *trial, bool alive)
{
    watch_set(trial->watch, 0);
    timer_stop(trial->timer);
    trial->fn(trial->arg, alive);
}

/*
 * What the kernel has sent and nobody has acknowledged yet (tcp(7), SIOCOUTQ). It has no event for
 * that, so it is asked again and again.
 */
static bool is_acknowledged(const struct trial *trial)
{
    int unacknowledged;
    return ioctl(trial->data, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

/* At ever longer intervals, so that the answer is at most a quarter late. */
static void on_time(void *arg)
{
    struct trial *trial = arg;
    uint64_t waited = clock_ms() - trial->since_ms;
    if (!trial->sent || waited >= TRIAL_MS) {
        give_verdict(trial, false);
    } else if (is_acknowledged(trial)) {
        give_verdict(trial, true);
    } else {
        timer_set(trial->timer, 1 + waited / 4);
    }
}

static void on_sign_of_life(void *arg, int events)
{
    (void)events;
    give_verdict(arg, true);
}

struct trial *trial_new(uv_loop_t *loop, int data, const void *bytes, size_t len, trial_fn fn,
                        void *arg)
{
    struct trial *trial = calloc(1, sizeof *trial);
    if (!trial) {
        return NULL;
    }
    *trial = (struct trial){.data = data, .since_ms = clock_ms(), .fn = fn, .arg = arg};
    trial->watch = watch_new(loop, data, on_sign_of_life, trial);
    trial->timer = timer_new(loop, on_time, trial);
    if (!trial->watch || !trial->timer) {
        trial_free(trial);
        return NULL;
    }
    trial->sent = send(data, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
    watch_set(trial->watch, WATCH_READ);
    timer_set(trial->timer, 1);
    return trial;
}

void trial_free(struct trial *trial)
{
    if (trial) {
        watch_free(trial->watch);
        timer_free(trial->timer);
        free(trial);
    }
}
