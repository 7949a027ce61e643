/* admin_discovery: pamctl discover. A handler as admin_commands has them. */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_DISCOVERY_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_DISCOVERY_H

#include "vps/admin/admin_commands.h"

json_t *admin_discover(struct admin_call *call, const json_t *request);

#endif
