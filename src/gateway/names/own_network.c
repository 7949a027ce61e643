#include "gateway/names/own_network.h"

#include <ifaddrs.h>
#include <stdint.h>
#include <stdio.h>

/* How many of the first bits of a mask are set. */
static unsigned count_bits(const struct sockaddr *mask)
{
    struct addr addr;
    unsigned bits = 0;
    if (!mask || addr_from(mask, &addr) < 0) {
        return 0;
    }
    bool v4 = addr.sa.sa_family == AF_INET;
    const uint8_t *bytes = v4 ? (const uint8_t *)&addr.v4.sin_addr
                              : (const uint8_t *)&addr.v6.sin6_addr;
    for (unsigned most = v4 ? 32 : 128; bits < most; bits++) {
        if (!(bytes[bits / 8] & (0x80 >> bits % 8))) {
            break;
        }
    }
    return bits;
}

/* The address for all, whether or not it was configured: the kernel takes it for that. */
static struct addr last_of(const struct own_network *network)
{
    struct addr last = network->addr;
    if (last.sa.sa_family == AF_INET && network->bits < 32) {
        last.v4.sin_addr.s_addr |= htonl(UINT32_MAX >> network->bits);
    }
    return last;
}

static bool has_neighbours(const struct ifaddrs *entry)
{
    return entry->ifa_addr && (entry->ifa_flags & IFF_UP) &&
           !(entry->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT));
}

/* False: it is of another family, or a network of one machine. */
static bool fill(const struct ifaddrs *entry, struct own_network *ret_network)
{
    struct own_network network = {0};
    if (addr_from(entry->ifa_addr, &network.addr) < 0) {
        return false;
    }
    bool v4 = network.addr.sa.sa_family == AF_INET;
    network.bits = count_bits(entry->ifa_netmask);
    network.index = if_nametoindex(entry->ifa_name);
    snprintf(network.interface, sizeof network.interface, "%s", entry->ifa_name);
    network.has_broadcast = v4 && (entry->ifa_flags & IFF_BROADCAST) && network.bits < 31;
    network.broadcast = last_of(&network);
    *ret_network = network;
    return network.index > 0 && network.bits > 0 && network.bits < (v4 ? 32U : 128U);
}

unsigned own_networks_list(struct own_network networks[OWN_NETWORKS_MAX])
{
    struct ifaddrs *list;
    unsigned count = 0;
    if (getifaddrs(&list) < 0) {
        return 0;
    }
    for (const struct ifaddrs *i = list; i && count < OWN_NETWORKS_MAX; i = i->ifa_next) {
        count += has_neighbours(i) && fill(i, &networks[count]);
    }
    freeifaddrs(list);
    return count;
}

/* Nobody's own: of IPv4, the first and the last one of a network with more than two. */
static bool is_of_all(const struct own_network *network, const struct addr *addr)
{
    uint32_t rest = network->bits < 32 ? UINT32_MAX >> network->bits : 0;
    if (network->addr.sa.sa_family != AF_INET || network->bits > 30) {
        return false;
    }
    uint32_t machine = ntohl(addr->v4.sin_addr.s_addr) & rest;
    return machine == 0 || machine == rest;
}

bool own_networks_have(const struct own_network *networks, unsigned count, unsigned index,
                       const struct addr *addr)
{
    for (unsigned i = 0; i < count; i++) {
        if (networks[i].index == index &&
            addr_in_network(addr, &networks[i].addr, networks[i].bits) &&
            !is_of_all(&networks[i], addr)) {
            return true;
        }
    }
    return false;
}

bool own_networks_are_at(const struct own_network *networks, unsigned count,
                         const struct addr *addr)
{
    unsigned i = 0;
    while (i < count && !addr_same_host(&networks[i].addr, addr)) {
        i++;
    }
    return i < count;
}
