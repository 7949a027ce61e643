/*
 * cooldown: what must not be done for one and the same again and again: for each it is done at
 * most once in a while, and for at most COOLDOWN_MAX of them in that time.
 */
#ifndef PAMTUNNEL_BASE_COOLDOWN_H
#define PAMTUNNEL_BASE_COOLDOWN_H

#include <stdbool.h>
#include <stdint.h>

enum { COOLDOWN_MAX = 64 };

/* Zero-initialised is ready for use. */
struct cooldown {
    struct {
        int64_t id; /* of a person, or of whatever happens once; 0: nobody has this place */
        uint64_t at_ms;
    } last[COOLDOWN_MAX];
};

/*
 * True if it may be done for this one (id: not 0) now: it was not within `every_ms` before. That
 * is then remembered. now_ms: of clock_ms().
 */
bool cooldown_allows(struct cooldown *cooldown, int64_t id, uint64_t every_ms, uint64_t now_ms);

#endif
