/*
 * code: codes of the second factor that people send to the bot. Whatever comes of one, the message
 * that it came in is taken away: for a minute or so whoever can read the chat could use it.
 */
#ifndef PAMTUNNEL_VPS_CHAT_CODE_H
#define PAMTUNNEL_VPS_CHAT_CODE_H

#include <stdbool.h>

#include "vps/chat/conversation.h"

/*
 * Takes a message that is a code: six digits, of somebody who has a second factor or is asked for
 * one. False, having done nothing: it is none. too_old: it waited for longer than a code is good.
 */
bool code_take(struct conversation *conversation, const struct incoming *incoming, bool too_old);

#endif
