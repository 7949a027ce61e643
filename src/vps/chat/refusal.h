/*
 * refusal: says why a command opened nothing, with buttons for what the user can do about it:
 * choose a gateway, close a session.
 */
#ifndef PAMTUNNEL_VPS_CHAT_REFUSAL_H
#define PAMTUNNEL_VPS_CHAT_REFUSAL_H

#include <stdint.h>

#include "base/why.h"
#include "vps/chat/conversation.h"

/* command: as this person sent it. err and why: of sessions_open(). */
void refusal_say(const struct conversation *conversation, int64_t person, const char *command,
                 int err, const struct why *why);

#endif
