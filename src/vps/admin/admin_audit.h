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

/* Whether the chain holds together, and has the head that somebody noted. NULL: later. */
json_t *admin_audit_verify(struct admin_call *call, const json_t *request);
/* Copies the state file to a name in STATE_DIR, for whoever asks to take away. NULL: later. */
json_t *admin_backup(struct admin_call *call, const json_t *request);

#endif
