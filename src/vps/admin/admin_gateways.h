/*
 * admin_gateways: pamctl gateway: which there are, and keys that come and go while the agent runs.
 * Each is a handler as admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_GATEWAYS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_GATEWAYS_H

#include "vps/admin/admin_commands.h"

json_t *admin_gateway_list(struct admin_call *call, const json_t *request);
/* These two answer with the join string, this once. */
json_t *admin_gateway_add(struct admin_call *call, const json_t *request);
json_t *admin_gateway_rotate(struct admin_call *call, const json_t *request);
json_t *admin_gateway_remove(struct admin_call *call, const json_t *request);

#endif
