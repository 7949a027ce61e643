/*
 * session_list: open sessions as a message with a button that closes each. The latest one of each
 * reader stays true: when a session ends, it is taken off.
 */
#ifndef PAMTUNNEL_VPS_CHAT_SESSION_LIST_H
#define PAMTUNNEL_VPS_CHAT_SESSION_LIST_H

#include "base/text.h"
#include "vps/chat/conversation.h"

enum session_list_scope { SESSION_LIST_OWN, SESSION_LIST_ALL };

struct session_lists;

/* NULL when out of memory. The conversation outlives it. */
struct session_lists *session_lists_new(const struct conversation *conversation);
/* What was said stays in the chat. Accepts NULL. */
void session_lists_free(struct session_lists *lists);

/* head: what stands above the list, HTML. NULL: it says what the list is of. */
void session_lists_say(struct session_lists *lists, int64_t person, enum session_list_scope scope,
                       const char *head);
/* A session has ended. */
void session_lists_update(struct session_lists *lists);

#endif
