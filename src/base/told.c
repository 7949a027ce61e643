#include "base/told.h"

bool told_may_tell(struct told *told, int64_t id, uint64_t every_ms, uint64_t now_ms)
{
    unsigned place = TOLD_MAX;
    for (unsigned i = 0; i < TOLD_MAX; i++) {
        bool lapsed = told->last[i].id == 0 || now_ms - told->last[i].at_ms >= every_ms;
        if (told->last[i].id == id && !lapsed) {
            return false;
        }
        if (lapsed) {
            place = i;
        }
    }
    /* All places are taken: rather say nothing to this one than anything twice to another. */
    if (place == TOLD_MAX) {
        return false;
    }
    told->last[place].id = id;
    told->last[place].at_ms = now_ms;
    return true;
}
