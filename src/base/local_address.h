/*
 * local_address: where something of this machine alone is served: "127.0.0.1:9477", a port of
 * loopback, or "/run/x/metrics.sock", the absolute path of a Unix socket.
 */
#ifndef PAMTUNNEL_BASE_LOCAL_ADDRESS_H
#define PAMTUNNEL_BASE_LOCAL_ADDRESS_H

#include "base/setting.h"
#include "base/why.h"

enum { LOCAL_ADDRESS_MAX = 107 }; /* characters: a path has to fit into sun_path (unix(7)) */

/*
 * char[max + 1], max at most LOCAL_ADDRESS_MAX. One that could be reached from another machine is
 * refused.
 */
extern const struct setting_type SETTING_LOCAL_ADDRESS;

/*
 * A socket that listens there, for lines_new(). A path gets mode 0600, and takes the place of a
 * socket that nobody answers on any more. Returns the descriptor, or -errno with why.
 */
int local_address_listen(const char *address, struct why *why);

#endif
