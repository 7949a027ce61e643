/*
 * told: what must not be said to the same person again and again: each hears it at most once in a
 * while, and at most TOLD_MAX of them do.
 */
#ifndef PAMTUNNEL_BASE_TOLD_H
#define PAMTUNNEL_BASE_TOLD_H

#include <stdbool.h>
#include <stdint.h>

enum { TOLD_MAX = 64 };

/* Zero-initialised is ready for use. */
struct told {
    struct {
        int64_t id; /* of a person, or of whatever happens once; 0: nobody has this place */
        uint64_t at_ms;
    } last[TOLD_MAX];
};

/* True if this one may be told now: it was not within the last every_ms. Then that is noted. */
bool told_may_tell(struct told *told, int64_t id, uint64_t every_ms, uint64_t now_ms);

#endif
