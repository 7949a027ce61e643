/*
 * ports: the range of ports that sessions listen on. A port is drawn at random,
 * and after use it rests for PORTS_QUARANTINE_MS, so that whoever still knows it
 * does not end up in somebody else's session.
 */
#ifndef PAMTUNNEL_VPS_SESSION_PORTS_H
#define PAMTUNNEL_VPS_SESSION_PORTS_H

#include <stdbool.h>
#include <stdint.h>

enum { PORTS_QUARANTINE_MS = 60000 };

struct ports;

/* first to last, inclusive. 0 or -ENOMEM. */
int ports_new(const char *bind_address, uint16_t first, uint16_t last, struct ports **ret_ports);
void ports_free(struct ports *ports);
/* From now on they are drawn from this range; those of the old one are still put back. -ENOMEM. */
int ports_use_range(struct ports *ports, uint16_t first, uint16_t last);

/*
 * A listening socket on a random free port, or -EADDRINUSE if there is none, or
 * another -errno. Ports that other programs hold are passed over. multipath: as
 * net_listen_multipath().
 */
int ports_listen(struct ports *ports, uint64_t now_ms, bool multipath, uint16_t *ret_port);
/* A listening socket on a port that is held still, though its socket was closed. -errno. */
int ports_relisten(struct ports *ports, uint16_t port);
/* Puts a port back, once, when its socket is closed. 0 is no port and does nothing. */
void ports_release(struct ports *ports, uint64_t now_ms, uint16_t port);

#endif
