#include "base/origin.h"

#include <stdio.h>

/* No IPv6 client has an address that starts like this: it is multicast. */
static const uint64_t IPV4_TAG = 0xffull << 56;

struct origin origin_of(const struct addr *addr)
{
    struct origin origin;
    if (addr->sa.sa_family == AF_INET) {
        uint64_t party = IPV4_TAG | ntohl(addr->v4.sin_addr.s_addr);
        origin.at[ORIGIN_PARTY] = party;
        origin.at[ORIGIN_NETWORK] = party & ~0xffull;
        origin.at[ORIGIN_PROVIDER] = party & ~0xffffull;
        return origin;
    }
    uint64_t party = 0;
    /* The first half is the /64; an interface may choose the rest anew for each connection. */
    for (unsigned i = 0; i < 8; i++) {
        party = party << 8 | addr->v6.sin6_addr.s6_addr[i];
    }
    origin.at[ORIGIN_PARTY] = party;
    origin.at[ORIGIN_NETWORK] = party & ~0xffffull;
    origin.at[ORIGIN_PROVIDER] = party & ~0xffffffffull;
    return origin;
}

char *origin_network_text(const struct addr *addr, char dst[NETWORK_TEXT_MAX])
{
    unsigned bits = addr->sa.sa_family == AF_INET ? NETWORK_V4_BITS : NETWORK_V6_BITS;
    struct addr network = addr_network(addr, bits);
    char host[ADDR_HOST_MAX];
    snprintf(dst, NETWORK_TEXT_MAX, "%s/%u", addr_host_text(&network, host), bits);
    return dst;
}
