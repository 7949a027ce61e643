/* profile: what the service shows of the bot before it says anything, in each language. */
#ifndef PAMTUNNEL_VPS_CHAT_PROFILE_H
#define PAMTUNNEL_VPS_CHAT_PROFILE_H

#include "vps/transport/transport.h"

/* At each start, as another version may have other commands. */
void profile_show(struct transport *transport);

#endif
