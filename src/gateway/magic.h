/* magic: the packet that wakes a machine whose network card listens for it (Wake on LAN). */
#ifndef PAMTUNNEL_GATEWAY_MAGIC_H
#define PAMTUNNEL_GATEWAY_MAGIC_H

#include "base/mac.h"

enum { MAGIC_SIZE = MAC_SIZE + 16 * MAC_SIZE, MAGIC_PORT = 9 };

/* Six bytes of ones, and sixteen times the MAC address. */
void magic_write(const uint8_t mac[MAC_SIZE], uint8_t ret_packet[MAGIC_SIZE]);
/*
 * Sends one to everybody in the network of each interface, by IPv4, or by IPv6 where there is no
 * IPv4: nobody knows a sleeping machine's IP address any more. Returns in how many networks, or
 * -errno if it is in none.
 */
int magic_send(const uint8_t mac[MAC_SIZE]);

#endif
