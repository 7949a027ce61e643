/*
 * timer: one deadline on the event loop. A timer is its own heap object, so an
 * owner may free it, and itself, at any point, even inside the callback.
 */
#ifndef PAMTUNNEL_BASE_TIMER_H
#define PAMTUNNEL_BASE_TIMER_H

#include <stdint.h>
#include <uv.h>

struct timer;
typedef void (*timer_fn)(void *arg);

/* NULL when out of memory. Not running until timer_set(). */
struct timer *timer_new(uv_loop_t *loop, timer_fn fn, void *arg);
/* Fires once, `ms` from now; replaces an earlier setting. */
void timer_set(struct timer *timer, uint64_t ms);
/* It can be set again. */
void timer_stop(struct timer *timer);
/* Accepts NULL. The callback will not run. */
void timer_free(struct timer *timer);

#endif
