/*
 * opening: opens sessions for those who ask in the chat: at once, or as soon as a gateway that is
 * on its way is there. Whoever cannot have one is told why. The handlers of the commands and
 * of the button that open are here, too (command.h, button.h).
 */
#ifndef PAMTUNNEL_VPS_CHAT_OPENING_H
#define PAMTUNNEL_VPS_CHAT_OPENING_H

#include "vps/chat/conversation.h"

struct opening;

/* NULL when out of memory. conversation outlives it. */
struct opening *opening_new(struct conversation *conversation);
/* A session that is opening gets its message; post, which may be NULL: one that becomes it. */
void opening_show(struct conversation *conversation, struct session *session, int64_t person,
                  struct post *post);
/* Tries what still waits for a gateway, for the last time. */
void opening_end(struct opening *opening);
/* Forgets what still waits. Accepts NULL. */
void opening_free(struct opening *opening);

#endif
