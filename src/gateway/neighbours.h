/*
 * neighbours: the MAC address of a machine that has just answered, from the kernel's neighbour
 * table (rtnetlink(7)), so that it can be woken another day. Only of machines in a network of this
 * one: behind a router it would be the router's, and so it would be if the router answers for
 * machines behind it as if they were here (proxy ARP).
 */
#ifndef PAMTUNNEL_GATEWAY_NEIGHBOURS_H
#define PAMTUNNEL_GATEWAY_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/mac.h"
#include "base/net.h"

/*
 * 0, or -errno and zeros: -EHOSTUNREACH it is behind a router, or one, or this machine itself;
 * -ENOENT the kernel knows none, or its network has none of six bytes; -EOPNOTSUPP Linux before
 * 5.0. Waits for nothing: the kernel has answered when it was asked.
 */
int neighbours_mac(const struct addr *addr, uint8_t ret_mac[MAC_SIZE]);

/* ---- what the kernel says, apart from sockets: messages of rtnetlink(7) -------------------- */

/*
 * The answer to RTM_GETROUTE: *ret_interface is where packets leave. -EHOSTUNREACH if the next
 * machine on their way is another one, -EBADMSG for what is no such answer, or the error that it
 * says.
 */
int neighbours_read_route(const void *bytes, size_t len, int *ret_interface);
/*
 * The same of a far away address: the next machine on the way there, which is the router.
 * -EHOSTUNREACH if there is none, or none of this family.
 */
int neighbours_read_router(const void *bytes, size_t len, int *ret_interface,
                           struct addr *ret_router);
/* The same to RTM_GETNEIGH. -ENOENT if it has no MAC address, or one that nobody has confirmed. */
int neighbours_read_mac(const void *bytes, size_t len, uint8_t ret_mac[MAC_SIZE]);

#endif
