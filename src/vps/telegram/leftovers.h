/*
 * leftovers: the messages that still show an open session (its card, its .rdp file,
 * questions), kept in the state file, so that after a crash the next vps-agent puts them
 * right: nobody else could. A message goes from the file when it shows its end.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_LEFTOVERS_H
#define PAMTUNNEL_VPS_TELEGRAM_LEFTOVERS_H

#include "vps/store/store.h"
#include "vps/telegram/outbox.h"

struct leftovers;

/*
 * Reads what the last vps-agent left in the chats of this bot, and keeps in mind what the
 * outbox sends from now on. NULL when out of memory. Both outlive it; store may be NULL.
 */
struct leftovers *leftovers_new(struct store *store, struct outbox *outbox, int64_t bot_id);
/* Puts right what was left, once. Returns how many messages that are. */
unsigned leftovers_put_right(struct leftovers *leftovers);
/* Accepts NULL. Before the outbox. */
void leftovers_free(struct leftovers *leftovers);

#endif
