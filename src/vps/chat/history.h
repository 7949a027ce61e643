/* history: what was open lately, for /history: looked up in the audit. */
#ifndef PAMTUNNEL_VPS_CHAT_HISTORY_H
#define PAMTUNNEL_VPS_CHAT_HISTORY_H

#include "vps/chat/conversation.h"

struct history;

/* NULL: out of memory. */
struct history *history_new(const struct conversation *conversation);
/* Who has asked and was not answered yet, is not any more. Accepts NULL. */
void history_free(struct history *history);

#endif
