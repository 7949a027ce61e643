/*
 * session_audit: the watcher that records what happens to sessions. It is the first of all, so
 * that what it records comes before what others tell of the same event.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSION_AUDIT_H
#define PAMTUNNEL_VPS_SESSION_SESSION_AUDIT_H

#include "vps/session/news.h"
#include "vps/session/services.h"

/* services has the audit, and outlives it. */
struct session_watcher session_audit_watcher(struct services *services);

#endif
