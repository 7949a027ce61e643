/* admin_audit: the commands of pamctl that are about the audit (docs/protocol.md). */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_AUDIT_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_AUDIT_H

#include "vps/admin/admin_commands.h"

/*
 * A page of records. With "follow" it is answered when there is a newer one, or after
 * ADMIN_FOLLOW_MS without one. NULL: later.
 */
json_t *admin_audit(struct admin_call *call, const json_t *request);
enum { ADMIN_FOLLOW_MS = 25000 };

#endif
