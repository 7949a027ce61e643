#include "gateway/neighbours.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* After the C library's: musl and the kernel define some things twice. */
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

enum { ANSWER_SIZE = 4096 };

/* ---- reading ----------------------------------------------------------------- */

/*
 * Has *ret_body point behind the fixed part of the first message, which is copied to `fixed`. The
 * error that the message says, or -EBADMSG if it is of another type or too short.
 */
static int read_head(const uint8_t *bytes, size_t len, unsigned type, void *fixed, size_t fixed_len,
                     const uint8_t **ret_body, size_t *ret_len)
{
    struct nlmsghdr head;
    int error;
    if (len < sizeof head) {
        return -EBADMSG;
    }
    memcpy(&head, bytes, sizeof head);
    if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > len) {
        return -EBADMSG;
    }
    if (head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= NLMSG_HDRLEN + sizeof error) {
        memcpy(&error, bytes + NLMSG_HDRLEN, sizeof error);
        return error < 0 && error > -4096 ? error : -EBADMSG;
    }
    if (head.nlmsg_type != type || head.nlmsg_len < NLMSG_HDRLEN + NLMSG_ALIGN(fixed_len)) {
        return -EBADMSG;
    }
    memcpy(fixed, bytes + NLMSG_HDRLEN, fixed_len);
    *ret_body = bytes + NLMSG_HDRLEN + NLMSG_ALIGN(fixed_len);
    *ret_len = head.nlmsg_len - NLMSG_HDRLEN - NLMSG_ALIGN(fixed_len);
    return 0;
}

/* The value of the attribute of that type, and its length. NULL: there is none. */
static const uint8_t *find_part(const uint8_t *bytes, size_t len, unsigned type, size_t *ret_len)
{
    struct rtattr part;
    for (size_t at = 0; at < len && len - at >= sizeof part; at += RTA_ALIGN(part.rta_len)) {
        memcpy(&part, bytes + at, sizeof part);
        if (part.rta_len < sizeof part || part.rta_len > len - at) {
            break;
        }
        if ((part.rta_type & NLA_TYPE_MASK) == type) {
            *ret_len = part.rta_len - sizeof part;
            return bytes + at + sizeof part;
        }
    }
    return NULL;
}

static int read_interface(const uint8_t *body, size_t len, int *ret_interface)
{
    size_t size;
    int interface;
    const uint8_t *out = find_part(body, len, RTA_OIF, &size);
    if (!out || size != sizeof interface) {
        return -EBADMSG;
    }
    memcpy(&interface, out, sizeof interface);
    *ret_interface = interface;
    return 0;
}

int neighbours_read_route(const void *bytes, size_t len, int *ret_interface)
{
    struct rtmsg route;
    const uint8_t *body;
    size_t body_len, size;
    int err = read_head(bytes, len, RTM_NEWROUTE, &route, sizeof route, &body, &body_len);
    if (err < 0) {
        return err;
    }
    if (route.rtm_type != RTN_UNICAST || find_part(body, body_len, RTA_GATEWAY, &size) ||
        find_part(body, body_len, RTA_VIA, &size)) {
        return -EHOSTUNREACH;
    }
    return read_interface(body, body_len, ret_interface);
}

int neighbours_read_router(const void *bytes, size_t len, int *ret_interface,
                           struct addr *ret_router)
{
    struct rtmsg route;
    const uint8_t *body;
    size_t body_len, size;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    int err = read_head(bytes, len, RTM_NEWROUTE, &route, sizeof route, &body, &body_len);
    if (err < 0) {
        return err;
    }
    const uint8_t *router = find_part(body, body_len, RTA_GATEWAY, &size);
    if (router && size == sizeof v4.sin_addr) {
        memcpy(&v4.sin_addr, router, size);
        addr_from((const struct sockaddr *)&v4, ret_router);
    } else if (router && size == sizeof v6.sin6_addr) {
        memcpy(&v6.sin6_addr, router, size);
        addr_from((const struct sockaddr *)&v6, ret_router);
    } else {
        return -EHOSTUNREACH;
    }
    return read_interface(body, body_len, ret_interface);
}

int neighbours_read_mac(const void *bytes, size_t len, uint8_t ret_mac[MAC_SIZE])
{
    enum { KNOWN = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT };
    struct ndmsg neighbour;
    const uint8_t *body;
    size_t body_len, size;
    int err = read_head(bytes, len, RTM_NEWNEIGH, &neighbour, sizeof neighbour, &body, &body_len);
    if (err < 0) {
        return err;
    }
    const uint8_t *mac = find_part(body, body_len, NDA_LLADDR, &size);
    if (!(neighbour.ndm_state & KNOWN) || !mac || size != MAC_SIZE || !mac_is_one(mac)) {
        return -ENOENT;
    }
    memcpy(ret_mac, mac, MAC_SIZE);
    return 0;
}

/* ---- asking -------------------------------------------------------------------- */

static size_t address_bytes(const struct addr *addr, const void **ret_bytes)
{
    bool v4 = addr->sa.sa_family == AF_INET;
    *ret_bytes = v4 ? (const void *)&addr->v4.sin_addr : &addr->v6.sin6_addr;
    return v4 ? sizeof addr->v4.sin_addr : sizeof addr->v6.sin6_addr;
}

/* A question is a head, a fixed part, and the address as its one attribute. */
union question {
    struct nlmsghdr head;
    uint8_t bytes[NLMSG_HDRLEN + 32 + RTA_LENGTH(sizeof(struct in6_addr))];
};

static void ask_of(union question *question, uint16_t type, const void *fixed, size_t fixed_len,
                   uint16_t attribute, const struct addr *addr)
{
    const void *address;
    size_t len = address_bytes(addr, &address);
    const struct rtattr part = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = attribute};
    uint8_t *at = question->bytes + NLMSG_HDRLEN;
    memcpy(at, fixed, fixed_len);
    at += NLMSG_ALIGN(fixed_len);
    memcpy(at, &part, sizeof part);
    memcpy(at + RTA_LENGTH(0), address, len);
    at += RTA_LENGTH(len);
    question->head = (struct nlmsghdr){.nlmsg_len = (uint32_t)(at - question->bytes),
                                       .nlmsg_type = type,
                                       .nlmsg_flags = NLM_F_REQUEST};
}

/* The length of the answer, or -errno. */
static ssize_t ask(int fd, const union question *question, uint8_t answer[ANSWER_SIZE])
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct sockaddr_nl from;
    socklen_t from_len = sizeof from;
    if (sendto(fd, question->bytes, question->head.nlmsg_len, 0, (const struct sockaddr *)&kernel,
               sizeof kernel) < 0) {
        return -errno;
    }
    ssize_t len = recvfrom(fd, answer, ANSWER_SIZE, 0, (struct sockaddr *)&from, &from_len);
    /* Any process may send to a netlink socket. */
    return len < 0 ? -errno : from.nl_pid == 0 ? len : -EBADMSG;
}

/* Which way packets to it would take: the length of the kernel's answer, or -errno. */
static ssize_t ask_route(int fd, const struct addr *addr, uint8_t answer[ANSWER_SIZE])
{
    union question question = {.bytes = {0}};
    const void *address;
    struct rtmsg route = {.rtm_family = (uint8_t)addr->sa.sa_family,
                          .rtm_dst_len = (uint8_t)(8 * address_bytes(addr, &address))};
    ask_of(&question, RTM_GETROUTE, &route, sizeof route, RTA_DST, addr);
    return ask(fd, &question, answer);
}

static int find_interface(int fd, const struct addr *addr, int *ret_interface)
{
    uint8_t answer[ANSWER_SIZE];
    ssize_t len = ask_route(fd, addr, answer);
    return len < 0 ? (int)len : neighbours_read_route(answer, (size_t)len, ret_interface);
}

static int find_mac(int fd, const struct addr *addr, int interface, uint8_t ret_mac[MAC_SIZE])
{
    union question question = {.bytes = {0}};
    uint8_t answer[ANSWER_SIZE];
    struct ndmsg neighbour = {.ndm_family = (uint8_t)addr->sa.sa_family, .ndm_ifindex = interface};
    ask_of(&question, RTM_GETNEIGH, &neighbour, sizeof neighbour, NDA_DST, addr);
    ssize_t len = ask(fd, &question, answer);
    return len < 0 ? (int)len : neighbours_read_mac(answer, (size_t)len, ret_mac);
}

/* The router's, by which all that is far away goes: an address for documents stands for that. */
static int find_router(int fd, int family, uint8_t ret_mac[MAC_SIZE])
{
    uint8_t answer[ANSWER_SIZE];
    struct addr far, router;
    int interface;
    addr_parse(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 0, &far);
    ssize_t len = ask_route(fd, &far, answer);
    int err = len < 0 ? (int)len : neighbours_read_router(answer, (size_t)len, &interface, &router);
    return err < 0 ? err : find_mac(fd, &router, interface, ret_mac);
}

static int find(int fd, const struct addr *addr, uint8_t ret_mac[MAC_SIZE])
{
    uint8_t mac[MAC_SIZE], router[MAC_SIZE];
    int interface;
    int err = find_interface(fd, addr, &interface);
    err = err < 0 ? err : find_mac(fd, addr, interface, mac);
    if (err < 0) {
        return err;
    }
    if (find_router(fd, addr->sa.sa_family, router) == 0 && memcmp(mac, router, MAC_SIZE) == 0) {
        return -EHOSTUNREACH;
    }
    memcpy(ret_mac, mac, MAC_SIZE);
    return 0;
}

int neighbours_mac(const struct addr *addr, uint8_t ret_mac[MAC_SIZE])
{
    memset(ret_mac, 0, MAC_SIZE);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) {
        return -errno;
    }
    int err = find(fd, addr, ret_mac);
    close(fd);
    return err;
}
