/*
 * lan_socket: a UDP socket for questions to all in one of the machine's networks, and for the
 * answers of each.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_SOCKET_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_SOCKET_H

#include "gateway/names/lan_question.h"
#include "gateway/names/own_network.h"

/* Of IPv6, the link-local address of an interface stands for all that it has. */
bool lan_socket_is_for(const struct own_network *network, int family);
/* A descriptor or -errno. */
int lan_socket_open(const struct own_network *network);
/* To those who answer in this protocol. 0 or -errno; -EAFNOSUPPORT: it is not for this network. */
int lan_socket_ask(int fd, const struct own_network *network, enum lan_protocol protocol,
                   const void *bytes, size_t len);
/* To one of them. */
int lan_socket_ask_one(int fd, const struct addr *whom, const void *bytes, size_t len);
/* The next datagram's length, or -errno: -EAGAIN if there is none. */
long lan_socket_hear(int fd, void *bytes, size_t size, struct addr *ret_sender);
/* A link-local address that was heard there says nothing of the link that it is on. */
void lan_socket_add_scope(const struct own_network *network, struct addr *addr);

#endif
