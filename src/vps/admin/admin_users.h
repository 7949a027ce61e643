/*
 * admin_users: pamctl user: who is let in, and who comes and goes while the agent runs. Each is a
 * handler as admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_USERS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_USERS_H

#include "vps/admin/admin_commands.h"

json_t *admin_user_list(struct admin_call *call, const json_t *request);
/* Answers with the link, this once. */
json_t *admin_user_invite(struct admin_call *call, const json_t *request);
json_t *admin_user_remove(struct admin_call *call, const json_t *request);

#endif
