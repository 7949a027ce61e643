#include "base/allowance.h"

static bool is_of(const struct allowance *allowance, unsigned i, const struct addr *from)
{
    bool v4 = from->sa.sa_family == AF_INET;
    return allowance->used[i].times > 0 &&
           addr_in_network(from, &allowance->used[i].from,
                           v4 ? allowance->v4_bits : allowance->v6_bits);
}

/* Of an entry, what has not come back by now. */
static unsigned left_of(const struct allowance *allowance, unsigned i, uint64_t now_ms)
{
    uint64_t back = (now_ms - allowance->used[i].refilled_ms) / allowance->refill_ms;
    unsigned times = allowance->used[i].times;
    return back >= times ? 0 : times - (unsigned)back;
}

bool allowance_is_used_up(const struct allowance *allowance, const struct addr *from,
                          uint64_t now_ms)
{
    for (unsigned i = 0; i < ALLOWANCE_NETWORKS; i++) {
        if (is_of(allowance, i, from)) {
            return left_of(allowance, i, now_ms) >= allowance->most;
        }
    }
    return false;
}

/* The entry of this network, or else the one that matters least. */
static unsigned entry_for(const struct allowance *allowance, const struct addr *from,
                          uint64_t now_ms)
{
    /* Who has used least loses least by being forgotten: a crowd cannot wash itself clean. */
    unsigned least = 0;
    for (unsigned i = 0; i < ALLOWANCE_NETWORKS; i++) {
        if (is_of(allowance, i, from)) {
            return i;
        }
        if (left_of(allowance, i, now_ms) < left_of(allowance, least, now_ms)) {
            least = i;
        }
    }
    return least;
}

void allowance_use(struct allowance *allowance, const struct addr *from, uint64_t now_ms)
{
    unsigned i = entry_for(allowance, from, now_ms);
    unsigned times = is_of(allowance, i, from) ? left_of(allowance, i, now_ms) : 0;
    if (times == 0) {
        allowance->used[i].from = *from;
        allowance->used[i].refilled_ms = now_ms;
    } else {
        /* What has come back is whole: the rest of the time counts for the next one. */
        allowance->used[i].refilled_ms += (uint64_t)(allowance->used[i].times - times) *
                                          allowance->refill_ms;
    }
    allowance->used[i].times = times < allowance->most ? times + 1 : times;
}
