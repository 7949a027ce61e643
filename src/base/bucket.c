#include "base/bucket.h"

/* What has come back is whole: the rest of the time counts for the next one. */
void bucket_refill(struct bucket *bucket, uint64_t each_ms, uint64_t now_ms)
{
    uint64_t earned = (now_ms - bucket->refilled_ms) / each_ms;
    if (earned >= bucket->spent) {
        *bucket = (struct bucket){.refilled_ms = now_ms};
    } else {
        bucket->spent -= (unsigned)earned;
        bucket->refilled_ms += earned * each_ms;
    }
}

bool bucket_take(struct bucket *bucket, unsigned most, uint64_t each_ms, uint64_t now_ms)
{
    bucket_refill(bucket, each_ms, now_ms);
    if (bucket->spent >= most) {
        return false;
    }
    bucket->spent++;
    return true;
}
