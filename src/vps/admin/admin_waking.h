/*
 * admin_waking: pamctl wake: wakes a machine, and says which can be woken. Each is a handler as
 * admin_commands has them.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_ADMIN_WAKING_H
#define PAMTUNNEL_VPS_ADMIN_ADMIN_WAKING_H

#include "vps/admin/admin_commands.h"

/* Waits until the machine answers, or does not. */
json_t *admin_wake(struct admin_call *call, const json_t *request);
/* Its gateway wakes it from now on. */
json_t *admin_waking_begun(const struct waking_view *view);
/* What has become of it, at its end, when no session follows. */
json_t *admin_waking_became(const struct waking_event *event);
/* The session has failed since its machine may be asleep, which nobody wakes yet. */
json_t *admin_session_asleep(const struct session *session);
json_t *admin_wake_list(struct admin_call *call, const json_t *request);

#endif
