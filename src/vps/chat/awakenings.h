/*
 * awakenings: the messages about machines that are to wake: each goes from the end of the session
 * that did not reach its machine to the session that does, or to what may be wrong. The handlers of
 * their buttons are here, too (button.h), and that of /wake (command.h).
 */
#ifndef PAMTUNNEL_VPS_CHAT_AWAKENINGS_H
#define PAMTUNNEL_VPS_CHAT_AWAKENINGS_H

#include "vps/chat/conversation.h"

struct awakenings;

/* NULL when out of memory. conversation outlives it. */
struct awakenings *awakenings_new(struct conversation *conversation);
/* What was said stays in the chat. Accepts NULL. */
void awakenings_free(struct awakenings *awakenings);

#endif
