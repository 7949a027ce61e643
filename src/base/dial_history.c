#include "base/dial_history.h"

#include <stddef.h>

/* When it failed, 0 if not or too long ago. */
static uint64_t failed_at(const struct dial_history *history, const struct addr *addr,
                          uint64_t now_ms)
{
    for (unsigned i = 0; i < DIAL_HISTORY_MAX; i++) {
        uint64_t at = history->failures[i].failed_ms;
        if (at != 0 && now_ms - at < DIAL_HISTORY_MS &&
            addr_same_host(&history->failures[i].addr, addr)) {
            return at;
        }
    }
    return 0;
}

void dial_history_failed(struct dial_history *history, const struct addr *addr, uint64_t now_ms)
{
    unsigned oldest = 0;
    dial_history_worked(history, addr);
    for (unsigned i = 1; i < DIAL_HISTORY_MAX; i++) {
        if (history->failures[i].failed_ms < history->failures[oldest].failed_ms) {
            oldest = i;
        }
    }
    history->failures[oldest].addr = *addr;
    history->failures[oldest].failed_ms = now_ms;
}

void dial_history_worked(struct dial_history *history, const struct addr *addr)
{
    for (unsigned i = 0; i < DIAL_HISTORY_MAX; i++) {
        if (history->failures[i].failed_ms != 0 &&
            addr_same_host(&history->failures[i].addr, addr)) {
            history->failures[i].failed_ms = 0;
        }
    }
}

unsigned dial_history_sort(const struct dial_history *history, struct addr *addrs, unsigned count,
                           uint64_t now_ms)
{
    /* Counted before sorting, by the same clock: callers dial only the first `good` ones. */
    unsigned good = 0;
    for (unsigned i = 0; i < count; i++) {
        good += failed_at(history, &addrs[i], now_ms) == 0;
    }
    for (unsigned i = 1; i < count; i++) {
        struct addr moved = addrs[i];
        uint64_t at = failed_at(history, &moved, now_ms);
        /* Insertion sort is stable: addresses that did not fail keep the resolver's order. */
        unsigned to = i;
        for (; to > 0 && failed_at(history, &addrs[to - 1], now_ms) > at; to--) {
            addrs[to] = addrs[to - 1];
        }
        addrs[to] = moved;
    }
    return good;
}
