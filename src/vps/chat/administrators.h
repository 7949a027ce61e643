/* administrators: what is said to all of them who are in the chat, to each in their language. */
#ifndef PAMTUNNEL_VPS_CHAT_ADMINISTRATORS_H
#define PAMTUNNEL_VPS_CHAT_ADMINISTRATORS_H

#include "base/text.h"
#include "vps/chat/conversation.h"

/* Writes the message, HTML, for one of them. about: what administrators_tell() was given. */
typedef void (*administrators_write_fn)(const struct conversation *conversation, struct text *html,
                                        const void *about);

/* Who is one is asked now. but: somebody who knows already; 0: nobody. */
void administrators_tell(const struct conversation *conversation, int64_t but,
                         administrators_write_fn write, const void *about);

#endif
