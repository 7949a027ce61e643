#include "gateway/magic.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/net.h"

void magic_write(const uint8_t mac[MAC_SIZE], uint8_t ret_packet[MAGIC_SIZE])
{
    memset(ret_packet, 0xff, MAC_SIZE);
    for (unsigned at = MAC_SIZE; at < MAGIC_SIZE; at += MAC_SIZE) {
        memcpy(ret_packet + at, mac, MAC_SIZE);
    }
}

static bool can_broadcast(const struct ifaddrs *interface)
{
    const unsigned needed = IFF_UP | IFF_BROADCAST;
    return (interface->ifa_flags & needed) == needed && interface->ifa_addr &&
           interface->ifa_addr->sa_family == AF_INET && interface->ifa_netmask;
}

/*
 * The last address of its network. The interface itself has it only if somebody has said so (ip
 * address add ... brd +), the routes always.
 */
static struct addr broadcast_of(const struct ifaddrs *interface, const struct addr *own)
{
    struct sockaddr_in mask;
    struct addr last = *own;
    memcpy(&mask, interface->ifa_netmask, sizeof mask); /* its family may be left out */
    last.v4.sin_addr.s_addr |= ~mask.sin_addr.s_addr;
    addr_set_port(&last, MAGIC_PORT);
    return last;
}

/*
 * To the network's own broadcast address, and from the interface's: 255.255.255.255 goes nowhere
 * without a default route, and with one to one network only.
 */
static int send_through(const struct ifaddrs *interface, const uint8_t packet[MAGIC_SIZE])
{
    static const int ON = 1;
    struct addr from;
    if (addr_from(interface->ifa_addr, &from) < 0) {
        return -EAFNOSUPPORT;
    }
    const struct addr to = broadcast_of(interface, &from);
    addr_set_port(&from, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    bool sent = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &ON, sizeof ON) == 0 &&
                bind(fd, &from.sa, addr_len(&from)) == 0 &&
                sendto(fd, packet, MAGIC_SIZE, 0, &to.sa, addr_len(&to)) == MAGIC_SIZE;
    int err = sent ? 0 : -errno;
    close(fd);
    return err;
}

int magic_send(const uint8_t mac[MAC_SIZE])
{
    uint8_t packet[MAGIC_SIZE];
    struct ifaddrs *interfaces;
    int count = 0, err = -ENETUNREACH;
    magic_write(mac, packet);
    if (getifaddrs(&interfaces) < 0) {
        return -errno;
    }
    for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next) {
        if (can_broadcast(at)) {
            int sent = send_through(at, packet);
            count += sent == 0;
            err = sent < 0 ? sent : err;
        }
    }
    freeifaddrs(interfaces);
    return count > 0 ? count : err;
}
