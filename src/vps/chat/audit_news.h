/*
 * audit_news: administrators are told in the chat when nothing can be recorded, and when it can
 * again; and once a day where the audit ends, as something to keep elsewhere.
 */
#ifndef PAMTUNNEL_VPS_CHAT_AUDIT_NEWS_H
#define PAMTUNNEL_VPS_CHAT_AUDIT_NEWS_H

#include "vps/chat/conversation.h"

struct audit_news;

/* The conversation outlives it. NULL when out of memory. */
struct audit_news *audit_news_new(const struct conversation *conversation);
/* 0, or why nothing can be recorded from now on, -errno: see struct audit_options. */
void audit_news_changed(const struct audit_news *news, int err);
/* Accepts NULL. */
void audit_news_free(struct audit_news *news);

#endif
