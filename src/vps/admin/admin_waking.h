/* admin_waking: pamctl wake: which machines can be woken. A handler as admin_commands has them. */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_WAKING_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_WAKING_H

#include "vps/admin/admin_commands.h"

json_t *admin_wake_list(struct admin_call *call, const json_t *request);

#endif
