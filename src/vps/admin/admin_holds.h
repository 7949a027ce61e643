/*
 * admin_holds: what pamctl says of requests on hold, and decides about them. The handlers are as
 * admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_HOLDS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_HOLDS_H

#include "vps/admin/admin_commands.h"
#include "vps/consent/holds.h"

json_t *admin_approvals(struct admin_call *call, const json_t *request);
json_t *admin_approve(struct admin_call *call, const json_t *request);
json_t *admin_deny(struct admin_call *call, const json_t *request);

/* {"ok":true,"request":…}: it waits, and what for. */
json_t *reply_hold(const struct hold_view *view, const struct people *people);
/* It has ended, and nothing is opened: why not. */
json_t *reply_hold_ended(const struct hold_view *view, const struct people *people);

#endif
