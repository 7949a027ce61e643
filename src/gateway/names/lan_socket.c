#include "gateway/names/lan_socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { HOPS = 255 /* RFC 6762, section 11; RFC 4795, section 2.5 */ };

static bool is_link_local(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr);
}

bool lan_socket_is_for(const struct own_network *network, int family)
{
    return network->addr.sa.sa_family == family &&
           (family == AF_INET || is_link_local(&network->addr));
}

/* Where groups are sent to, how far, and that all may be asked. */
static int tune(int fd, const struct own_network *network)
{
    const int hops = HOPS, yes = 1, index = (int)network->index;
    int failed;
    if (network->addr.sa.sa_family == AF_INET) {
        const struct in_addr *own = &network->addr.v4.sin_addr;
        failed = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, own, sizeof *own) |
                 setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) |
                 setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
    } else {
        failed = setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) |
                 setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    }
    return failed ? -errno : 0;
}

int lan_socket_open(const struct own_network *network)
{
    int fd = socket(network->addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = tune(fd, network);
    if (err == 0 && bind(fd, &network->addr.sa, addr_len(&network->addr)) < 0) {
        err = -errno;
    }
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

int lan_socket_ask(int fd, const struct own_network *network, enum lan_protocol protocol,
                   const void *bytes, size_t len)
{
    struct addr to;
    if (lan_protocol_group(protocol, network->addr.sa.sa_family, &to) < 0) {
        if (!network->has_broadcast) {
            return -EAFNOSUPPORT;
        }
        to = network->broadcast;
        addr_set_port(&to, lan_protocol_port(protocol));
    }
    lan_socket_add_scope(network, &to);
    return lan_socket_ask_one(fd, &to, bytes, len);
}

int lan_socket_ask_one(int fd, const struct addr *whom, const void *bytes, size_t len)
{
    return sendto(fd, bytes, len, MSG_NOSIGNAL, &whom->sa, addr_len(whom)) < 0 ? -errno : 0;
}

long lan_socket_hear(int fd, void *bytes, size_t size, struct addr *ret_sender)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t len;
    do {
        len = recvfrom(fd, bytes, size, 0, (struct sockaddr *)&from, &from_len);
    } while (len < 0 && (errno == EINTR || errno == ECONNREFUSED)); /* what an ICMP told of */
    if (len < 0) {
        return -errno;
    }
    int err = addr_from((struct sockaddr *)&from, ret_sender);
    return err < 0 ? err : len;
}

void lan_socket_add_scope(const struct own_network *network, struct addr *addr)
{
    if (addr->sa.sa_family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr) ||
                                           IN6_IS_ADDR_MC_LINKLOCAL(&addr->v6.sin6_addr))) {
        addr->v6.sin6_scope_id = network->index;
    }
}
