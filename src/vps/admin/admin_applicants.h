/*
 * admin_applicants: pamctl gateway, for gateways that have no key and ask to be paired. Each is a
 * handler as admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_APPLICANTS_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_APPLICANTS_H

#include "vps/admin/admin_commands.h"

json_t *admin_gateway_pair(struct admin_call *call, const json_t *request);
json_t *admin_gateway_pending(struct admin_call *call, const json_t *request);
/* Answered when it is paired, or it has come to nothing. */
json_t *admin_gateway_accept(struct admin_call *call, const json_t *request);
json_t *admin_gateway_deny(struct admin_call *call, const json_t *request);

/* What has become of the one that was accepted. NULL: it is not decided yet. */
json_t *admin_applicant_became(const struct applicant_event *event);

#endif
