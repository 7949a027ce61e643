/*
 * allowance: how often somebody may do something that costs us, counted by the network they
 * come from. What was used comes back with time. Memory is bounded: beyond ALLOWANCE_NETWORKS, the
 * network that has used least is forgotten.
 */
#ifndef PAMTUNNEL_BASE_ALLOWANCE_H
#define PAMTUNNEL_BASE_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

enum { ALLOWANCE_NETWORKS = 64 };

/* The owner fills in everything but `used`, which must start as zeros. */
struct allowance {
    unsigned v4_bits, v6_bits; /* of a network */
    unsigned most;             /* times at once */
    uint32_t refill_ms;        /* until one comes back */
    struct {
        struct addr from;
        unsigned times;
        uint64_t refilled_ms;
    } used[ALLOWANCE_NETWORKS];
};

/* Nothing is left for the network of this address. */
bool allowance_is_used_up(const struct allowance *allowance, const struct addr *from,
                          uint64_t now_ms);
/* Counts one use, up to `most`. */
void allowance_use(struct allowance *allowance, const struct addr *from, uint64_t now_ms);

#endif
