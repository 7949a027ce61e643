#include "control/keepalive.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timer.h"

enum {
    PINGS_UNANSWERED_MAX = 2,
    HEARD_LATELY_MS = 1000,
    LAST_TURN_MS = 50,
};

struct keepalive {
    struct keepalive_events events;
    struct timer *due; /* the next PING */
    uint64_t interval_ms;
    unsigned unanswered;
    uint64_t rtt_us;
    uint64_t heard_ms; /* when something came last */

    struct timer *pressed;
    bool pressing; /* nothing has come since */
    bool asked;    /* a PING went out for that */
    bool overdue;  /* and its time is over */
};

static void on_due(void *arg)
{
    struct keepalive *keepalive = arg;
    if (keepalive->unanswered >= PINGS_UNANSWERED_MAX) {
        keepalive->events.dead(keepalive->events.arg, "two pings went unanswered");
        return;
    }
    keepalive->unanswered++;
    timer_set(keepalive->due, keepalive->interval_ms);
    keepalive->events.ping(keepalive->events.arg, clock_us());
}

/* ---- somebody waits --------------------------------------------------------- */

static void ask(struct keepalive *keepalive)
{
    keepalive->asked = true;
    timer_set(keepalive->pressed, KEEPALIVE_PRESSED_MS);
    keepalive->events.ping(keepalive->events.arg, clock_us());
}

/* If it was us who slept, an answer may be in the socket already: one more turn of the loop. */
static void on_pressed(void *arg)
{
    struct keepalive *keepalive = arg;
    if (keepalive->pressing && !keepalive->asked) {
        ask(keepalive);
    } else if (keepalive->pressing && !keepalive->overdue) {
        keepalive->overdue = true;
        timer_set(keepalive->pressed, LAST_TURN_MS);
    } else if (keepalive->pressing) {
        keepalive->events.dead(keepalive->events.arg, "a ping that could not wait went unanswered");
    }
}

void keepalive_press(struct keepalive *keepalive)
{
    if (keepalive->pressing) {
        return;
    }
    keepalive->pressing = true;
    keepalive->asked = keepalive->overdue = false;
    /* Mostly the answer to what it was sent comes first, and nothing needs to be asked. */
    if (keepalive->heard_ms > 0 && clock_ms() - keepalive->heard_ms < HEARD_LATELY_MS) {
        timer_set(keepalive->pressed, HEARD_LATELY_MS);
    } else {
        ask(keepalive);
    }
}

/* ---- signs of life ---------------------------------------------------------- */

void keepalive_heard(struct keepalive *keepalive)
{
    keepalive->pressing = false;
    keepalive->heard_ms = clock_ms();
}

/*
 * Only a PONG counts for the interval, since it proves both directions: a peer may go on
 * sending although nothing of ours gets through any more.
 */
void keepalive_answered(struct keepalive *keepalive, uint64_t sent_us)
{
    uint64_t now = clock_us();
    if (sent_us <= now) {
        keepalive->rtt_us = now - sent_us;
    }
    keepalive->unanswered = 0;
}

uint64_t keepalive_rtt_us(const struct keepalive *keepalive)
{
    return keepalive->rtt_us;
}

/* ---- life ------------------------------------------------------------------- */

struct keepalive *keepalive_new(uv_loop_t *loop, struct keepalive_events events)
{
    struct keepalive *keepalive = calloc(1, sizeof *keepalive);
    if (!keepalive) {
        return NULL;
    }
    keepalive->events = events;
    keepalive->due = timer_new(loop, on_due, keepalive);
    keepalive->pressed = timer_new(loop, on_pressed, keepalive);
    if (!keepalive->due || !keepalive->pressed) {
        keepalive_free(keepalive);
        return NULL;
    }
    return keepalive;
}

void keepalive_begin(struct keepalive *keepalive, uint64_t interval_ms)
{
    keepalive->interval_ms = interval_ms;
    timer_set(keepalive->due, interval_ms);
}

void keepalive_free(struct keepalive *keepalive)
{
    if (!keepalive) {
        return;
    }
    timer_free(keepalive->due);
    timer_free(keepalive->pressed);
    free(keepalive);
}
