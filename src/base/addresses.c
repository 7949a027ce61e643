#include "base/addresses.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/watch.h"

/* After the C library's: musl and the kernel define some things twice. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* So that a stream of news does not hold up the loop. */
enum { NEWS_PER_TURN = 32, NEWS_SIZE = 8192 };

struct addresses {
    int fd;
    struct watch *watch;
    struct addresses_events events;
};

/* 0 if it is one of this machine's right now: it may have gone from one of two interfaces. */
static int try_to_bind(const struct addr *addr)
{
    /* UDP and port 0: it cannot collide with anything that is bound. */
    struct addr any_port = *addr;
    int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    addr_set_port(&any_port, 0);
    int err = bind(fd, &any_port.sa, addr_len(addr)) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int address_from(unsigned char family, const void *bytes, struct addr *ret_addr)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (family == AF_INET) {
        memcpy(&v4.sin_addr, bytes, sizeof v4.sin_addr);
        return addr_from((struct sockaddr *)&v4, ret_addr);
    }
    memcpy(&v6.sin6_addr, bytes, sizeof v6.sin6_addr);
    return family == AF_INET6 ? addr_from((struct sockaddr *)&v6, ret_addr) : -EAFNOSUPPORT;
}

/* The machine's own end is IFA_LOCAL; only where there is none, IFA_ADDRESS. */
static int read_address(const char *message, size_t len, struct addr *ret_addr)
{
    struct ifaddrmsg head;
    const char *found = NULL;
    if (len < sizeof head) {
        return -EBADMSG;
    }
    memcpy(&head, message, sizeof head);
    size_t size = head.ifa_family == AF_INET ? 4 : 16;
    struct rtattr part;
    for (size_t at = NLMSG_ALIGN(sizeof head); at < len && len - at >= sizeof part;
         at += RTA_ALIGN(part.rta_len)) {
        memcpy(&part, message + at, sizeof part);
        if (part.rta_len < sizeof part || part.rta_len > len - at) {
            return -EBADMSG;
        }
        /* On a point-to-point link IFA_ADDRESS is the other end's (rtnetlink(7)). */
        bool local = part.rta_type == IFA_LOCAL;
        if (part.rta_len - sizeof part >= size &&
            (local || (part.rta_type == IFA_ADDRESS && !found))) {
            found = message + at + sizeof part;
        }
        if (local) {
            break;
        }
    }
    return found ? address_from(head.ifa_family, found, ret_addr) : -EBADMSG;
}

static bool is_link_local(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr);
}

static void hear(struct addresses *addresses, unsigned type, const char *message, size_t len)
{
    const struct addresses_events *events = &addresses->events;
    struct addr addr;
    bool goes = type == RTM_DELADDR;
    /* Link-local addresses come and go with each cable, and nobody connects from one to the VPS. */
    if ((!goes && type != RTM_NEWADDR) || read_address(message, len, &addr) < 0 ||
        is_link_local(&addr)) {
        return;
    }
    if (goes && try_to_bind(&addr) == -EADDRNOTAVAIL) {
        events->gone(events->arg, &addr);
    } else if (!goes && events->come) {
        events->come(events->arg, &addr);
    }
}

static void hear_all(struct addresses *addresses, const char *bytes, size_t len)
{
    struct nlmsghdr head;
    for (size_t at = 0; at < len && len - at >= sizeof head; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > len - at) {
            return;
        }
        hear(addresses, head.nlmsg_type, bytes + at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    }
}

/* News that were lost (ENOBUFS) are not looked for: time-outs are there for them. */
static void on_news(void *arg, int events)
{
    struct addresses *addresses = arg;
    char bytes[NEWS_SIZE];
    (void)events;
    for (int i = 0; i < NEWS_PER_TURN; i++) {
        struct sockaddr_nl from;
        socklen_t from_len = sizeof from;
        ssize_t got = recvfrom(addresses->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from,
                               &from_len);
        if (got < 0 && errno != ENOBUFS && errno != EINTR) {
            return;
        }
        /* Any process may send to a netlink socket. */
        if (got > 0 && from.nl_pid == 0) { /* from the kernel and nobody else */
            hear_all(addresses, bytes, (size_t)got);
        }
    }
}

int addresses_watch(uv_loop_t *loop, const struct addresses_events *events,
                    struct addresses **ret_addresses)
{
    /* Two groups only: routes and links change too often to be listened to. */
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    struct addresses *addresses = calloc(1, sizeof *addresses);
    int err = -ENOMEM;
    if (!addresses) {
        return err;
    }
    addresses->events = *events;
    addresses->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (addresses->fd < 0 || bind(addresses->fd, (struct sockaddr *)&groups, sizeof groups) < 0) {
        err = -errno;
    } else {
        addresses->watch = watch_new(loop, addresses->fd, on_news, addresses);
    }
    if (!addresses->watch) {
        addresses_free(addresses);
        return err;
    }
    watch_set(addresses->watch, WATCH_READ);
    *ret_addresses = addresses;
    return 0;
}

void addresses_free(struct addresses *addresses)
{
    if (addresses) {
        watch_free(addresses->watch);
        if (addresses->fd >= 0) {
            close(addresses->fd);
        }
        free(addresses);
    }
}
