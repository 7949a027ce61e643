/* holds_audit: what the audit says of requests on hold. */
#ifndef PAMTUNNEL_VPS_CONSENT_HOLDS_AUDIT_H
#define PAMTUNNEL_VPS_CONSENT_HOLDS_AUDIT_H

#include "vps/audit/audit.h"
#include "vps/consent/holds.h"

/* Records what matters of it. audit may be NULL. */
void holds_audit(struct audit *audit, const struct people *people, const struct hold_event *event);

#endif
