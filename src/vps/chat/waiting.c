#include "vps/chat/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/timer.h"

struct waiter {
    struct waiter *next;
    int64_t person;
    unsigned tries_left;
    char command[];
};

struct waiting {
    waiting_fn fn;
    void *arg;
    struct timer *timer; /* runs while somebody waits */
    struct waiter *first;
    unsigned count;
};

/*
 * By the clock, and not by what gateways do: trying costs next to nothing, and the one that came
 * may not be the one that serves this target.
 */
static void try_all(struct waiting *waiting, bool last)
{
    struct waiter **at = &waiting->first;
    while (*at) {
        struct waiter *waiter = *at;
        bool is_last = last || --waiter->tries_left == 0;
        if (waiting->fn(waiting->arg, waiter->person, waiter->command, is_last) || is_last) {
            *at = waiter->next;
            free(waiter);
            waiting->count--;
        } else {
            at = &waiter->next;
        }
    }
}

static void on_timer(void *arg)
{
    struct waiting *waiting = arg;
    try_all(waiting, false);
    if (waiting->first) {
        timer_set(waiting->timer, WAITING_EVERY_MS);
    }
}

/* At the end: those who asked first are tried first, as a limit may leave room for one only. */
bool waiting_add(struct waiting *waiting, int64_t person, const char *command)
{
    size_t size = strlen(command) + 1;
    struct waiter **end = &waiting->first;
    struct waiter *waiter = waiting->count < WAITING_MAX ? malloc(sizeof *waiter + size) : NULL;
    if (!waiter) {
        return false;
    }
    *waiter = (struct waiter){.person = person, .tries_left = WAITING_TRIES};
    memcpy(waiter->command, command, size);
    while (*end) {
        end = &(*end)->next;
    }
    *end = waiter;
    if (waiting->count++ == 0) {
        timer_set(waiting->timer, WAITING_EVERY_MS);
    }
    return true;
}

void waiting_end(struct waiting *waiting)
{
    timer_stop(waiting->timer);
    try_all(waiting, true);
}

struct waiting *waiting_new(uv_loop_t *loop, waiting_fn fn, void *arg)
{
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) {
        return NULL;
    }
    *waiting = (struct waiting){.fn = fn, .arg = arg};
    waiting->timer = timer_new(loop, on_timer, waiting);
    if (!waiting->timer) {
        free(waiting);
        return NULL;
    }
    return waiting;
}

void waiting_free(struct waiting *waiting)
{
    if (!waiting) {
        return;
    }
    while (waiting->first) {
        struct waiter *waiter = waiting->first;
        waiting->first = waiter->next;
        free(waiter);
    }
    timer_free(waiting->timer);
    free(waiting);
}
