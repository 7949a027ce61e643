/* own_host: VPS_HOST, where clients find this server: what may be it, and what is none. */
#ifndef PAMTUNNEL_VPS_SETUP_OWN_HOST_H
#define PAMTUNNEL_VPS_SETUP_OWN_HOST_H

#include "base/net.h"

/* What this machine knows of its own public address; empty, and a hint on standard error, if
 * nothing. */
void own_host_propose(char ret_proposal[ADDR_HOST_MAX]);
/* As addr_not_public(), of an address or localhost; NULL for other names. */
const char *own_host_not_public(const char *host);

#endif
