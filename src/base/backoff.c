#include "base/backoff.h"

#include "base/crypto.h"

uint32_t backoff_next(struct backoff *backoff)
{
    /* 64 bits: doubling may pass UINT32_MAX before it is cut. */
    uint64_t wait = backoff->first_ms;
    for (unsigned i = 0; i < backoff->failures && wait < backoff->max_ms; i++) {
        wait *= 2;
    }
    if (wait > backoff->max_ms) {
        wait = backoff->max_ms;
    }
    backoff->failures++;

    uint32_t jitter = 0;
    crypto_random_below((uint32_t)wait / 4 + 1, &jitter); /* no jitter is better than no retry */
    return (uint32_t)wait - jitter;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
