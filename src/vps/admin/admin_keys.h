/*
 * admin_keys: pamctl key: which key or certificate each machine has shown, and what is to be done
 * about one that shows another. Each is a handler as admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_KEYS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_KEYS_H

#include "vps/admin/admin_commands.h"

json_t *admin_key_list(struct admin_call *call, const json_t *request);
/* By the doubt's id. */
json_t *admin_key_accept(struct admin_call *call, const json_t *request);
json_t *admin_key_leave(struct admin_call *call, const json_t *request);
/* By the target, as the list has it. */
json_t *admin_key_forget(struct admin_call *call, const json_t *request);

#endif
