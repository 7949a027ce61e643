/*
 * dial_history: over which addresses something went wrong lately, although they took the
 * connection: IPv6 that carries nothing, a proxy that resets. They go last, so that a
 * broken way does not hide one that works (RFC 8305 ends with the connection).
 */
#ifndef PAMTUNNEL_BASE_DIAL_HISTORY_H
#define PAMTUNNEL_BASE_DIAL_HISTORY_H

#include <stdint.h>

#include "base/net.h"

enum { DIAL_HISTORY_MAX = 16, DIAL_HISTORY_MS = 10 * 60 * 1000 };

/* Zero-initialised is ready for use. */
struct dial_history {
    struct {
        struct addr addr;
        uint64_t failed_ms; /* 0: never */
    } failures[DIAL_HISTORY_MAX];
};

void dial_history_failed(struct dial_history *history, const struct addr *addr, uint64_t now_ms);
void dial_history_worked(struct dial_history *history, const struct addr *addr);
/*
 * Puts those that failed within DIAL_HISTORY_MS behind the others, the one whose failure is
 * longest ago first; else the order stays. Ports do not matter. Returns how many did not
 * fail: while there are any, the others should not be tried beside them, since a way that
 * carries nothing may well be the fastest to connect.
 */
unsigned dial_history_sort(const struct dial_history *history, struct addr *addrs, unsigned count,
                           uint64_t now_ms);

#endif
