/*
 * own_network: the networks that this machine is in, one for each address of an interface on
 * which there may be neighbours: up, and neither loopback nor a line with one other end.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_OWN_NETWORK_H
#define PAMTUNNEL_GATEWAY_NAMES_OWN_NETWORK_H

#include <net/if.h>
#include <stdbool.h>

#include "base/net.h"

enum { OWN_NETWORKS_MAX = 64 };

struct own_network {
    char interface[IF_NAMESIZE];
    unsigned index;   /* of the interface */
    struct addr addr; /* this machine's, without a port; with its scope, if it has one */
    unsigned bits;    /* of the network */
    bool has_broadcast;
    struct addr broadcast; /* to all in it, of IPv4 */
};

/* Returns how many there are, at most OWN_NETWORKS_MAX; 0 also where they cannot be listed. */
unsigned own_networks_list(struct own_network networks[OWN_NETWORKS_MAX]);
/*
 * The address is in one of those of that interface, and could be a machine's: it is not the
 * network's own, nor the one of all that are in it.
 */
bool own_networks_have(const struct own_network *networks, unsigned count, unsigned index,
                       const struct addr *addr);
/* The address is this machine's, on whichever interface. */
bool own_networks_are_at(const struct own_network *networks, unsigned count,
                         const struct addr *addr);

#endif
