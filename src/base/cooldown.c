#include "base/cooldown.h"

bool cooldown_allows(struct cooldown *cooldown, int64_t id, uint64_t every_ms, uint64_t now_ms)
{
    unsigned place = COOLDOWN_MAX;
    for (unsigned i = 0; i < COOLDOWN_MAX; i++) {
        bool lapsed = cooldown->last[i].id == 0 || now_ms - cooldown->last[i].at_ms >= every_ms;
        if (cooldown->last[i].id == id && !lapsed) {
            return false;
        }
        if (lapsed) {
            place = i;
        }
    }
    /* All places are taken: rather refuse this one than allow another twice. */
    if (place == COOLDOWN_MAX) {
        return false;
    }
    cooldown->last[place].id = id;
    cooldown->last[place].at_ms = now_ms;
    return true;
}
