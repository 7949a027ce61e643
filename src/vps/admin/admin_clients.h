/*
 * admin_clients: pamctl admit, block, known and forget: who comes to sessions' ports, and who was
 * let in there. Each is a handler as admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_CLIENTS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_CLIENTS_H

#include "vps/admin/admin_commands.h"

json_t *admin_admit(struct admin_call *call, const json_t *request);
json_t *admin_block(struct admin_call *call, const json_t *request);
json_t *admin_known(struct admin_call *call, const json_t *request);
json_t *admin_forget(struct admin_call *call, const json_t *request);

#endif
