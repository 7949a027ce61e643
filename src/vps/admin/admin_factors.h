/*
 * admin_factors: pamctl totp: second factors, which are enrolled here and not in the chat: whoever
 * steals somebody's chat could scroll up to the secret. Each is a handler as admin_commands has
 * them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_FACTORS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_FACTORS_H

#include "vps/admin/admin_commands.h"

/* Without "code" a secret, this once; with the code that it shows, it counts from then on. */
json_t *admin_totp(struct admin_call *call, const json_t *request);
json_t *admin_totp_list(struct admin_call *call, const json_t *request);
json_t *admin_totp_remove(struct admin_call *call, const json_t *request);
json_t *admin_totp_unlock(struct admin_call *call, const json_t *request);

#endif
