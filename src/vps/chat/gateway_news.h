/*
 * gateway_news: administrators are told in the chat of gateways that have gone, and of their
 * return; what of that is worth telling is absences' to say.
 */
#ifndef PAMTUNNEL_VPS_CHAT_GATEWAY_NEWS_H
#define PAMTUNNEL_VPS_CHAT_GATEWAY_NEWS_H

#include "vps/chat/conversation.h"
#include "vps/session/news.h"

struct gateway_news;

/* The conversation outlives it. NULL when out of memory. */
struct gateway_news *gateway_news_new(const struct conversation *conversation);
/* Any event: those that are not of gateways are nothing to it. */
void gateway_news_hear(struct gateway_news *news, const struct session_event *event);
/* Accepts NULL. */
void gateway_news_free(struct gateway_news *news);

#endif
