/* panic: locking the server from the chat, and telling administrators that it was. */
#ifndef PAMTUNNEL_VPS_CHAT_PANIC_H
#define PAMTUNNEL_VPS_CHAT_PANIC_H

#include "vps/chat/conversation.h"

/* The server was locked or unlocked, whoever did it: tells all administrators in the chat. */
void panic_tell(const struct conversation *conversation, const struct session_event *event);
/* Adds who has locked the server, and since when, if somebody has. False: nobody has. */
bool panic_add_lock(const struct conversation *conversation, struct text *html);

#endif
