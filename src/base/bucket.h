/*
 * bucket: a token bucket. So many at once, and what was spent comes back one by one with time.
 */
#ifndef PAMTUNNEL_BASE_BUCKET_H
#define PAMTUNNEL_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised is full. */
struct bucket {
    unsigned spent;
    uint64_t refilled_ms;
};

/* Gives back what has come back by now: one in each `each_ms`. */
void bucket_refill(struct bucket *bucket, uint64_t each_ms, uint64_t now_ms);
/* Refills, then takes one of `most`. False: none is left. now_ms must not run backwards. */
bool bucket_take(struct bucket *bucket, unsigned most, uint64_t each_ms, uint64_t now_ms);

#endif
