/*
 * allowance: how often somebody may do what costs us something, by the network that
 * they come from. What was used comes back with time. Memory is bounded: of more
 * networks than ALLOWANCE_NETWORKS the one that has used least is forgotten.
 */
#ifndef PAMTUNNEL_BASE_ALLOWANCE_H
#define PAMTUNNEL_BASE_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

enum { ALLOWANCE_NETWORKS = 64 };

/* Filled in by its owner but for `used`, which begins as zeros. */
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
void allowance_use(struct allowance *allowance, const struct addr *from, uint64_t now_ms);

#endif
