/*
 * No state but the kernel's. Everything about a socket that both agents have to agree on is
 * here: when a peer counts as gone, what a connection promises its peer at first, and which
 * addresses are the same party.
 *
 * IPv4-mapped IPv6 addresses are unmapped on their way in (addr_from()), so that one client has
 * one address whichever socket it came through; comparing, limiting and logging rely on it.
 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#ifndef SO_BUF_LOCK /* Linux 5.14 */
#define SO_BUF_LOCK 72
#endif

/* Dead peers: 60 + 4 x 15 s until keepalive gives up, and unacknowledged data just before. */
enum {
    /* As large Ethernet's. Loopback's are 64 KiB, and a sender keeps 20 from the start. */
    NARROW_SEGMENT = 8960,
    NARROW_ROOM = 16 * 1024, /* ten full segments of Ethernet, and a bit */
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_IDLE_S = NET_DEAD_AFTER_S - NET_DEAD_PROBES * KEEPALIVE_INTERVAL_S,
    USER_TIMEOUT_MS = (NET_DEAD_AFTER_S - 5) * 1000,
};

int addr_from(const struct sockaddr *sa, struct addr *ret_addr)
{
    struct addr addr = {0};
    if (sa->sa_family == AF_INET) {
        memcpy(&addr.v4, sa, sizeof addr.v4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&addr.v6, sa, sizeof addr.v6);
        if (IN6_IS_ADDR_V4MAPPED(&addr.v6.sin6_addr)) {
            struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = addr.v6.sin6_port};
            memcpy(&v4.sin_addr, addr.v6.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
            memset(&addr, 0, sizeof addr);
            addr.v4 = v4;
        }
    } else {
        return -EAFNOSUPPORT;
    }
    *ret_addr = addr;
    return 0;
}

int addr_parse(const char *host, uint16_t port, struct addr *ret_addr)
{
    struct addr addr = {0};
    if (inet_pton(AF_INET, host, &addr.v4.sin_addr) == 1) {
        addr.v4.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, host, &addr.v6.sin6_addr) == 1) {
        addr.v6.sin6_family = AF_INET6;
    } else {
        return -EINVAL;
    }
    addr_set_port(&addr, port);
    return addr_from(&addr.sa, ret_addr);
}

socklen_t addr_len(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET ? sizeof addr->v4 : sizeof addr->v6;
}

uint16_t addr_port(const struct addr *addr)
{
    return ntohs(addr->sa.sa_family == AF_INET ? addr->v4.sin_port : addr->v6.sin6_port);
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET) {
        addr->v4.sin_port = htons(port);
    } else {
        addr->v6.sin6_port = htons(port);
    }
}

static const uint8_t *host_bytes(const struct addr *addr, unsigned *ret_bits)
{
    bool v4 = addr->sa.sa_family == AF_INET;
    *ret_bits = v4 ? 32 : 128;
    return v4 ? (const uint8_t *)&addr->v4.sin_addr : addr->v6.sin6_addr.s6_addr;
}

bool addr_in_network(const struct addr *addr, const struct addr *network, unsigned bits)
{
    unsigned most;
    const uint8_t *a = host_bytes(addr, &most);
    const uint8_t *b = host_bytes(network, &most);
    if (addr->sa.sa_family != network->sa.sa_family || bits > most) {
        return false;
    }
    unsigned bytes = bits / 8, rest = bits % 8;
    return memcmp(a, b, bytes) == 0 && (rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    return addr_in_network(a, b, a->sa.sa_family == AF_INET ? 32 : 128);
}

bool addr_same_party(const struct addr *a, const struct addr *b)
{
    return addr_in_network(a, b, a->sa.sa_family == AF_INET ? PARTY_V4_BITS : PARTY_V6_BITS);
}

bool addr_same_network(const struct addr *a, const struct addr *b)
{
    return addr_in_network(a, b, a->sa.sa_family == AF_INET ? NETWORK_V4_BITS : NETWORK_V6_BITS);
}

/* Clears all but the first `bits` bits. */
static void mask(uint8_t *bytes, size_t len, unsigned bits)
{
    for (size_t i = 0; i < len; i++) {
        unsigned keep = bits > 8 ? 8 : bits;
        bytes[i] = (uint8_t)(bytes[i] & (0xff00 >> keep));
        bits -= keep;
    }
}

struct addr addr_network(const struct addr *addr, unsigned bits)
{
    struct addr network = *addr;
    if (addr->sa.sa_family == AF_INET) {
        mask((uint8_t *)&network.v4.sin_addr, sizeof network.v4.sin_addr, bits);
    } else {
        mask((uint8_t *)&network.v6.sin6_addr, sizeof network.v6.sin6_addr, bits);
    }
    return network;
}

#define PRIVATE  "a private address, which only machines in the same network can reach"
#define SHARED   "an address of a provider's NAT or a VPN, which nobody outside can reach"
#define LOOPBACK "this machine's own name for itself, which no other machine can reach"
#define LINK     "a link-local address, which no router passes on"
#define NOBODY   "not an address at which a machine can be reached over the Internet"

const char *addr_not_public(const struct addr *addr)
{
    static const struct {
        const char *network;
        unsigned bits;
        const char *what;
    } OTHERS[] = {
        {"0.0.0.0", 8, NOBODY},     {"10.0.0.0", 8, PRIVATE},     {"100.64.0.0", 10, SHARED},
        {"127.0.0.0", 8, LOOPBACK}, {"169.254.0.0", 16, LINK},    {"172.16.0.0", 12, PRIVATE},
        {"192.0.0.0", 24, NOBODY},  {"192.168.0.0", 16, PRIVATE}, {"198.18.0.0", 15, NOBODY},
        {"224.0.0.0", 3, NOBODY},   {"::1", 128, LOOPBACK},       {"::", 3, NOBODY},
        {"fc00::", 7, PRIVATE},     {"fe80::", 9, LINK},          {"ff00::", 8, NOBODY},
    };
    for (unsigned i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        struct addr network;
        if (addr_parse(OTHERS[i].network, 0, &network) == 0 &&
            addr_in_network(addr, &network, OTHERS[i].bits)) {
            return OTHERS[i].what;
        }
    }
    return NULL;
}

bool addr_is_public(const struct addr *addr)
{
    return !addr_not_public(addr);
}

int net_own_end(int fd, struct addr *ret_addr)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &len) < 0
               ? -errno
               : addr_from((struct sockaddr *)&own, ret_addr);
}

int net_other_end(int fd, struct addr *ret_addr)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &len) < 0
               ? -errno
               : addr_from((struct sockaddr *)&peer, ret_addr);
}

/* Connecting a UDP socket sends nothing: it only asks the routing table. */
int net_own_address(int family, struct addr *ret_addr)
{
    struct addr world;
    int err = addr_parse(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 9, &world);
    int fd = err < 0 ? err : socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err < 0 ? err : -errno;
    }
    err = connect(fd, &world.sa, addr_len(&world)) < 0 ? -errno : net_own_end(fd, ret_addr);
    close(fd);
    return err;
}

char *addr_host_text(const struct addr *addr, char *dst)
{
    unsigned bits;
    /* libuv's: the C libraries do not agree on ::203.0.113.7. */
    if (uv_inet_ntop(addr->sa.sa_family, host_bytes(addr, &bits), dst, ADDR_HOST_MAX) < 0) {
        snprintf(dst, ADDR_HOST_MAX, "?");
    }
    return dst;
}

char *addr_text(const struct addr *addr, char *dst)
{
    char host[ADDR_HOST_MAX];
    bool v6 = addr->sa.sa_family == AF_INET6;
    snprintf(dst, ADDR_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", addr_host_text(addr, host),
             v6 ? "]" : "", addr_port(addr));
    return dst;
}

/*
 * By one path whatever the reason is that there are not several: a kernel built without MPTCP or
 * where it is switched off, a container that forbids it.
 */
static int new_socket(int family, int protocol)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0 && protocol != 0) {
        fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    return fd < 0 ? -errno : fd;
}

int net_check_multipath(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, NET_MPTCP);
    if (fd < 0) {
        return -errno;
    }
    close(fd);
    return 0;
}

static int listen_on(const struct addr *addr, int backlog, int protocol)
{
    int fd = new_socket(addr->sa.sa_family, protocol);
    if (fd < 0) {
        return fd;
    }
    /* Without SO_REUSEADDR a restart waits a minute for connections in TIME_WAIT. */
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    net_tune(fd);
    if (addr->sa.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, &addr->sa, addr_len(addr)) < 0 || listen(fd, backlog) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int listen_by(int protocol, const char *bind_address, uint16_t port, int backlog)
{
    struct addr addr;
    int err = addr_parse(bind_address, port, &addr);
    if (err < 0) {
        return err;
    }
    int fd = listen_on(&addr, backlog, protocol);
    /* ipv6.disable=1 gives the first error, disable_ipv6=1 the second. */
    bool no_ipv6 = fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL;
    if (no_ipv6 && addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr.v6.sin6_addr)) {
        addr_parse("0.0.0.0", port, &addr);
        fd = listen_on(&addr, backlog, protocol);
    }
    return fd;
}

int net_listen(const char *bind_address, uint16_t port, int backlog)
{
    return listen_by(0, bind_address, port, backlog);
}

int net_listen_multipath(const char *bind_address, uint16_t port, int backlog)
{
    return listen_by(NET_MPTCP, bind_address, port, backlog);
}

int net_accept(int listener, struct addr *ret_peer)
{
    struct sockaddr_storage from;
    socklen_t len;
    int fd;
    do {
        len = sizeof from;
        fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
    /* Peers on Unix sockets are told apart by their credentials, not by an address. */
    if (from.ss_family == AF_UNIX) {
        *ret_peer = (struct addr){.sa.sa_family = AF_UNSPEC};
        return fd;
    }
    int err = addr_from((struct sockaddr *)&from, ret_peer);
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

/* Failing is no reason to give a connection up: each of these only makes it better. */
static void set_tcp(int fd, int option, int value)
{
    setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

void net_narrow(int fd)
{
    /* Asked first whether it can be undone; an old kernel would keep the small buffer forever. */
    int unlocked = 0, room = NARROW_ROOM;
    /* Locked when it connects, it could not grow beyond 64 KiB; and before 5.14 never again. */
    if (setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof unlocked) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof unlocked);
    }
}

/* Writable later: net_error() says how it went. */
static int begin_to_connect(int fd, const struct addr *to)
{
    if (connect(fd, &to->sa, addr_len(to)) < 0 && errno != EINPROGRESS) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int net_connect(const struct addr *to, bool narrow)
{
    int fd = new_socket(to->sa.sa_family, 0);
    if (fd < 0) {
        return fd;
    }
    if (narrow) {
        set_tcp(fd, TCP_MAXSEG, NARROW_SEGMENT);
        net_narrow(fd);
    }
    return begin_to_connect(fd, to);
}

int net_connect_multipath(const struct addr *to)
{
    int fd = new_socket(to->sa.sa_family, NET_MPTCP);
    return fd < 0 ? fd : begin_to_connect(fd, to);
}

int net_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) {
        return -errno;
    }
    return -err;
}

void net_tune(int fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    set_tcp(fd, TCP_NODELAY, 1);
    set_tcp(fd, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_tcp(fd, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_tcp(fd, TCP_KEEPCNT, NET_DEAD_PROBES);
}

void net_end_stalls(int fd)
{
    set_tcp(fd, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

void net_reset(int fd)
{
    /* A lingering time of 0 makes close(2) send an RST and drop what is unsent (socket(7)). */
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

void net_keep_standard_descriptors(void)
{
    /* O_PATH: a descriptor for nothing but its number, which needs no /dev/null. */
    for (int fd = open("/", O_PATH | O_CLOEXEC); fd >= 0; fd = open("/", O_PATH | O_CLOEXEC)) {
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
    }
}

unsigned long net_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 0;
    }
    /* The soft limit is 1024 for the sake of select(2), which is not used here. */
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return (unsigned long)(setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before);
}

bool net_descriptors_are_short(int newest_fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (rlim_t)newest_fd >= limit.rlim_cur - limit.rlim_cur / 3;
}
