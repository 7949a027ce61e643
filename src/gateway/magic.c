#include "gateway/magic.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/net.h"
#include "gateway/names/own_network.h"

void magic_write(const uint8_t mac[MAC_SIZE], uint8_t ret_packet[MAGIC_SIZE])
{
    memset(ret_packet, 0xff, MAC_SIZE);
    for (unsigned at = MAC_SIZE; at < MAGIC_SIZE; at += MAC_SIZE) {
        memcpy(ret_packet + at, mac, MAC_SIZE);
    }
}

static bool has_broadcast(const struct own_network *networks, unsigned count, unsigned interface)
{
    unsigned i = 0;
    while (i < count && !(networks[i].index == interface && networks[i].has_broadcast)) {
        i++;
    }
    return i < count;
}

/*
 * The network's own broadcast address: 255.255.255.255 goes nowhere without a default route, and
 * with one to one network only. Where there is no IPv4, a link's all nodes. False: not by this one.
 */
static bool find_all(const struct own_network *networks, unsigned count,
                     const struct own_network *network, struct addr *ret_all)
{
    if (network->has_broadcast) {
        *ret_all = network->broadcast;
        addr_set_port(ret_all, MAGIC_PORT);
        return true;
    }
    bool is_of_link = network->addr.sa.sa_family == AF_INET6 &&
                      IN6_IS_ADDR_LINKLOCAL(&network->addr.v6.sin6_addr);
    if (!is_of_link || has_broadcast(networks, count, network->index) ||
        addr_parse("ff02::1", MAGIC_PORT, ret_all) < 0) {
        return false;
    }
    ret_all->v6.sin6_scope_id = network->index;
    return true;
}

/* From the interface's own address, so that it leaves there. */
static int send_packet(const struct addr *from, const struct addr *all,
                       const uint8_t packet[MAGIC_SIZE])
{
    static const int ON = 1;
    int fd = socket(from->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    bool sent = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &ON, sizeof ON) == 0 &&
                bind(fd, &from->sa, addr_len(from)) == 0 &&
                sendto(fd, packet, MAGIC_SIZE, 0, &all->sa, addr_len(all)) == MAGIC_SIZE;
    int err = sent ? 0 : -errno;
    close(fd);
    return err;
}

int magic_send(const uint8_t mac[MAC_SIZE])
{
    uint8_t packet[MAGIC_SIZE];
    struct own_network networks[OWN_NETWORKS_MAX];
    unsigned count = own_networks_list(networks);
    int sent = 0, err = -ENETUNREACH;
    magic_write(mac, packet);
    for (unsigned i = 0; i < count; i++) {
        struct addr all;
        if (find_all(networks, count, &networks[i], &all)) {
            int failed = send_packet(&networks[i].addr, &all, packet);
            sent += failed == 0;
            err = failed < 0 ? failed : err;
        }
    }
    return sent > 0 ? sent : err;
}
