/*
 * state_dir: STATE_DIR, the folder of a vps-agent, in which it keeps its state and is spoken to,
 * and that of a gateway-agent, in which it keeps the key that pairing came to.
 */
#ifndef PAMTUNNEL_SHARED_STATE_DIR_H
#define PAMTUNNEL_SHARED_STATE_DIR_H

#include "base/why.h"

#define STATE_DIR_DEFAULT         "/var/lib/pamtunnel"
#define GATEWAY_STATE_DIR_DEFAULT "/var/lib/pamtunnel-gateway"
/* The admin socket, behind the folder's path. */
#define STATE_DIR_SOCKET          "/pamtunnel.sock"

/* The longest one, in bytes: the socket's path has to fit into a struct sockaddr_un (unix(7)). */
enum { STATE_DIR_MAX = 90 };

/*
 * Makes the folder, unless it is there, for its owner alone. 0; or -errno, if it cannot be made or
 * this user cannot write in it, with a clause in why that says what to do.
 */
int state_dir_make(const char *program, const char *folder, struct why *why);

#endif
