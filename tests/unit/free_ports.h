/* free_ports: ports for tests that nobody uses at the moment, in either address family. */
#ifndef PAMTUNNEL_TESTS_FREE_PORTS_H
#define PAMTUNNEL_TESTS_FREE_PORTS_H

#include <stdint.h>

/* The first of count neighbouring free ports, below those that the kernel gives to clients. */
uint16_t free_ports(unsigned count);

#endif
