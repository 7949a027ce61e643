/*
 * origin: where a client comes from, seen at three widths, for limits that a crowd
 * from many addresses of one network must not get around:
 *
 *              party      network   provider
 *     IPv4     address    /24       /16
 *     IPv6     /64        /48       /32
 */
#ifndef PAMTUNNEL_BASE_ORIGIN_H
#define PAMTUNNEL_BASE_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

enum origin_width { ORIGIN_PROVIDER, ORIGIN_NETWORK, ORIGIN_PARTY, ORIGIN_WIDTHS };

/* One number for each width, the same for all clients of that provider, network, party. */
struct origin {
    uint64_t at[ORIGIN_WIDTHS];
};

/* An IPv4 address and an IPv6 one never have a number in common. */
struct origin origin_of(const struct addr *addr);
static inline bool origin_same(const struct origin *a, const struct origin *b,
                               enum origin_width width)
{
    return a->at[width] == b->at[width];
}

enum { NETWORK_TEXT_MAX = ADDR_HOST_MAX + 3 };
/* The network of that address: "198.51.100.0/24", "2001:db8:7::/48". Returns dst. */
char *origin_network_text(const struct addr *addr, char dst[NETWORK_TEXT_MAX]);

#endif
