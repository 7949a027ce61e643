#include "base/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/resolve.h"
#include "base/timer.h"
#include "base/watch.h"

enum { STAGGER_MS = 250 }; /* RFC 8305, section 5: Connection Attempt Delay */

struct attempt {
    struct dial *dial;
    struct addr to;
    struct watch *watch;
    int fd; /* -1: not started, or failed */
};

struct dial {
    uv_loop_t *loop;
    enum dial_how how;
    dial_fn fn;
    void *arg;
    struct timer *deadline;
    struct timer *stagger; /* starts the next attempt */
    struct attempt attempts[RESOLVE_MAX];
    unsigned count;
    unsigned started;
    unsigned running;
    int err; /* the failure that says most, so far */
};

/* A refusal is an answer from the machine itself; it says more than a lost packet. */
static int more_telling(int before, int now)
{
    return before == -ECONNREFUSED || (before != 0 && now != -ECONNREFUSED) ? before : now;
}

static void attempt_stop(struct attempt *attempt, bool keep_fd)
{
    watch_free(attempt->watch);
    attempt->watch = NULL;
    if (attempt->fd >= 0 && !keep_fd) {
        close(attempt->fd);
    }
    attempt->fd = -1;
}

static void dial_free(struct dial *dial)
{
    for (unsigned i = 0; i < dial->started; i++) {
        attempt_stop(&dial->attempts[i], false);
    }
    timer_free(dial->deadline);
    timer_free(dial->stagger);
    free(dial);
}

static void finish(struct dial *dial, int fd, const struct addr *addr)
{
    dial_fn fn = dial->fn;
    void *arg = dial->arg;
    /* addr may point into the dial, which is freed before the callback: it may start another. */
    struct addr reached;
    if (addr) {
        reached = *addr;
    }
    dial_free(dial);
    fn(arg, fd, addr ? &reached : NULL);
}

static void attempt_failed(struct attempt *attempt, int err)
{
    struct dial *dial = attempt->dial;
    attempt_stop(attempt, false);
    dial->running--;
    dial->err = more_telling(dial->err, err);
    /* No reason to wait for the stagger now; through the timer, so that the stack stays flat. */
    if (dial->started < dial->count) {
        timer_set(dial->stagger, 0);
    } else if (dial->running == 0) {
        finish(dial, dial->err, NULL);
    }
}

static void on_connect(void *arg, int events)
{
    struct attempt *attempt = arg;
    (void)events;
    int err = net_error(attempt->fd);
    if (err < 0) {
        attempt_failed(attempt, err);
        return;
    }
    int fd = attempt->fd;
    attempt_stop(attempt, true);
    finish(attempt->dial, fd, &attempt->to);
}

/* -errno: it has failed at once, and is as before. */
static int attempt_start(struct attempt *attempt)
{
    enum dial_how how = attempt->dial->how;
    int fd = how == DIAL_MULTIPATH ? net_connect_multipath(&attempt->to)
                                   : net_connect(&attempt->to, how == DIAL_NARROW);
    if (fd < 0) {
        return fd;
    }
    attempt->watch = watch_start(attempt->dial->loop, fd, WATCH_WRITE, on_connect, attempt);
    if (!attempt->watch) {
        close(fd);
        return -ENOMEM;
    }
    attempt->fd = fd;
    return 0;
}

static int try_next(struct dial *dial)
{
    struct attempt *attempt = &dial->attempts[dial->started];
    int err = attempt_start(attempt);
    if (err < 0) {
        return err;
    }
    dial->started++;
    dial->running++;
    /* Beside each other while there is room for that, else one after the other. */
    if (dial->started < dial->count && !net_descriptors_are_short(attempt->fd)) {
        timer_set(dial->stagger, STAGGER_MS);
    }
    return 0;
}

static void start_next(void *arg)
{
    struct dial *dial = arg;
    struct attempt *attempt = &dial->attempts[dial->started];
    int err = try_next(dial);
    if (err < 0) {
        dial->started++;
        dial->running++;
        attempt_failed(attempt, err);
    }
}

static void on_deadline(void *arg)
{
    struct dial *dial = arg;
    /* Some were silent: that says more than, say, a family that has no route here. */
    finish(dial, more_telling(-ETIMEDOUT, dial->err), NULL);
}

struct dial *dial_start(uv_loop_t *loop, const struct addr *addrs, unsigned count,
                        uint64_t timeout_ms, enum dial_how how, dial_fn fn, void *arg)
{
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial) {
        return NULL;
    }
    *dial = (struct dial){.loop = loop, .how = how, .fn = fn, .arg = arg};
    /* Copied: the caller's list need not outlive this call. */
    dial->count = count < RESOLVE_MAX ? count : RESOLVE_MAX;
    for (unsigned i = 0; i < dial->count; i++) {
        dial->attempts[i] = (struct attempt){.dial = dial, .to = addrs[i], .fd = -1};
    }
    dial->deadline = timer_new(loop, on_deadline, dial);
    dial->stagger = timer_new(loop, start_next, dial);
    if (!dial->deadline || !dial->stagger) {
        dial_free(dial);
        return NULL;
    }
    timer_set(dial->deadline, timeout_ms);
    if (try_next(dial) < 0) {
        timer_set(dial->stagger, 0); /* to fail once more, and tell it from the loop */
    }
    return dial;
}

void dial_cancel(struct dial *dial)
{
    if (dial) {
        dial_free(dial);
    }
}
