/* cards: the cards of the sessions that are open and that the bot's users asked for. */
#ifndef PAMTUNNEL_VPS_CHAT_CARDS_H
#define PAMTUNNEL_VPS_CHAT_CARDS_H

#include "vps/chat/card.h"
#include "vps/chat/farewell.h"

struct entry;

/* Zero-initialised is ready for use. */
struct cards {
    struct entry *first;
    struct farewells farewells; /* of sessions that are over */
};

/* A card for a session that was just opened. -ENOMEM: then there is no way to tell the user. */
int cards_add(struct cards *cards, const struct card_options *options, struct session *session);
/* NULL: the session has none. */
struct card *cards_find(const struct cards *cards, const struct session *session);
/* The session changed: its card says so, and is gone with its end. */
void cards_update(struct cards *cards, const struct session *session);
/* The bot stops: what is to be said is said now. */
void cards_end(struct cards *cards);
void cards_free(struct cards *cards);

#endif
