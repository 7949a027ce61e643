/*
 * history: addresses where something went wrong lately even though they accepted the
 * connection: IPv6 that carries nothing, a proxy that resets. They are tried last, so that a
 * broken path does not hide one that works (RFC 8305 ends with the connection).
 */
#ifndef PAMTUNNEL_BASE_HISTORY_H
#define PAMTUNNEL_BASE_HISTORY_H

#include <stdint.h>

#include "base/net.h"

enum { HISTORY_MAX = 16, HISTORY_MS = 10 * 60 * 1000 };

/* Zero-initialised is ready for use. */
struct history {
    struct {
        struct addr addr;
        uint64_t failed_ms; /* 0: never */
    } failures[HISTORY_MAX];
};

/* It accepted a connection that then carried nothing. */
void history_failed(struct history *history, const struct addr *addr, uint64_t now_ms);
/* It carried something: any failure is forgotten. */
void history_worked(struct history *history, const struct addr *addr);
/*
 * Moves those that failed within HISTORY_MS behind the others, the one whose failure is longest
 * ago first; otherwise the order stays. Ports do not matter. Returns how many did not fail:
 * while there are any, the others should not be tried at the same time, since a path that
 * carries nothing may well be the fastest to connect.
 */
unsigned history_sort(const struct history *history, struct addr *addrs, unsigned count,
                      uint64_t now_ms);

#endif
