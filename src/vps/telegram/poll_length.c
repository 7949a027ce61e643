#include "vps/telegram/poll_length.h"

#include "base/clock.h"

enum { CUTS = 3, SAME_MS = 1500, SHORTEST_S = 3, SHORTER_FOR_MS = 3600 * 1000 };

unsigned poll_length_s(const struct poll_length *length)
{
    return length->shorter_s && clock_ms() < length->until_ms ? length->shorter_s : POLL_LENGTH_S;
}

void poll_length_fine(struct poll_length *length)
{
    length->cuts = 0;
}

bool poll_length_cut(struct poll_length *length, uint64_t after_ms)
{
    bool same = after_ms < length->cut_ms + SAME_MS && length->cut_ms < after_ms + SAME_MS;
    length->cuts = same ? length->cuts + 1 : 1;
    length->cut_ms = after_ms;
    uint64_t fits_s = after_ms / 1000 * 3 / 4; /* what cuts does not do so to the second */
    if (length->cuts < CUTS || fits_s < SHORTEST_S || fits_s >= poll_length_s(length)) {
        return false;
    }
    *length = (struct poll_length){.shorter_s = (unsigned)fits_s,
                                   .until_ms = clock_ms() + SHORTER_FOR_MS};
    return true;
}
