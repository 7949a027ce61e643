/*
 * bot, inside: what its files share. bot has its life and what the transport and sessions tell,
 * bot_messages what people write.
 */
#ifndef PAMTUNNEL_VPS_CHAT_BOT_CORE_H
#define PAMTUNNEL_VPS_CHAT_BOT_CORE_H

#include "base/cooldown.h"
#include "vps/chat/bot.h"
#include "vps/chat/cards.h"
#include "vps/chat/conversation.h"
#include "vps/chat/publisher_news.h"
#include "vps/chat/readers.h"
#include "vps/chat/reception.h"

enum { BOT_NAME_MAX = 64 };

struct bot {
    struct bot_options options;
    struct conversation conversation;
    struct cards cards;
    struct readers readers;
    struct expired *expired;
    struct gateway_news *gateway_news;
    struct audit_news *audit_news;
    struct publisher_news publisher_news;
    struct approvals *approvals;
    struct awakenings *awakenings;
    struct unreached *unreached;
    struct key_questions *key_questions;
    char name[BOT_NAME_MAX + 1];
    struct cooldown strangers, only_text; /* who was told so, by person */
    struct sieve *ignored;                /* log lines, by the person ignored or refused */
    bool stopping;
    struct timer *stop_timer;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* A message came: a command, a code, or something to say a word about. */
void bot_take_message(struct bot *bot, const struct incoming *incoming, enum reception reception);

#endif
