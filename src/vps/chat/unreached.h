/*
 * unreached: those who are to be asked or told something and cannot be: a bot may write to nobody
 * who has not pressed Start, or has blocked it. Administrators hear of it, once for each of them
 * until they have written.
 */
#ifndef PAMTUNNEL_VPS_CHAT_UNREACHED_H
#define PAMTUNNEL_VPS_CHAT_UNREACHED_H

#include "vps/chat/conversation.h"

struct unreached;

/* NULL when out of memory. */
struct unreached *unreached_new(struct conversation *conversation);
/* Accepts NULL. */
void unreached_free(struct unreached *unreached);
/* The service says so. It may be called from inside of what delivers. */
void unreached_add(struct unreached *unreached, int64_t person);
/* They have written. True if they were among them. */
bool unreached_forget(struct unreached *unreached, int64_t person);

#endif
