/*
 * machines: what somebody who has named none may want: those where they were last, and those that
 * the policy names. Only what they may reach now.
 */
#ifndef PAMTUNNEL_VPS_CHAT_MACHINES_H
#define PAMTUNNEL_VPS_CHAT_MACHINES_H

#include "vps/chat/suggest.h"

/* row: of the command, which opens something. Adds as many as there is room for. */
void machines_suggest(const struct conversation *conversation, int64_t person,
                      const struct command_row *row, struct suggestions *suggestions);

#endif
