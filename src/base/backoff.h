/*
 * backoff: how long to wait before the next try: doubling from first_ms to
 * max_ms, each with up to a quarter of jitter taken off, so that many clients of
 * a server that restarts do not come back at the same moment.
 */
#ifndef PAMTUNNEL_BASE_BACKOFF_H
#define PAMTUNNEL_BASE_BACKOFF_H

#include <stdint.h>

/* The owner sets the first two; failures starts as 0. */
struct backoff {
    uint32_t first_ms;
    uint32_t max_ms;
    unsigned failures;
};

/* The next wait in milliseconds; counts one more failure. */
uint32_t backoff_next(struct backoff *backoff);
/* After a success: the next wait is first_ms again. */
void backoff_reset(struct backoff *backoff);

#endif
