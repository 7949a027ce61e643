/*
 * bucket: so much at once, and more with time. What was spent comes back bit by bit.
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
/* Takes one of `most`, refilled before. False: there is none. */
bool bucket_take(struct bucket *bucket, unsigned most, uint64_t each_ms, uint64_t now_ms);

#endif
