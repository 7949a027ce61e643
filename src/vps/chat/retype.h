/* retype: what somebody would type to open a session like one that there was. */
#ifndef PAMTUNNEL_VPS_CHAT_RETYPE_H
#define PAMTUNNEL_VPS_CHAT_RETYPE_H

#include "base/text.h"
#include "vps/session/session.h"
#include "vps/settings/settings.h"

/*
 * Adds what follows the name of the command: "bob@office/nas:2222", by the name that the policy has
 * for it.
 */
void retype_target(const struct vps_settings *settings, const struct session *session,
                   struct text *text);

#endif
