/*
 * publisher_news: administrators are told in the chat when .rdp files cannot be signed any more,
 * and when they are again.
 */
#ifndef PAMTUNNEL_VPS_CHAT_PUBLISHER_NEWS_H
#define PAMTUNNEL_VPS_CHAT_PUBLISHER_NEWS_H

#include "vps/chat/conversation.h"

struct publisher_news {
    const struct conversation *conversation;
    bool told; /* that there is trouble */
};

/*
 * trouble: of publisher_trouble(), which may be NULL; signs: whether files are. A certificate that
 * was renewed is no news, nor that they are not to be signed any more: somebody has set that.
 */
void publisher_news_changed(struct publisher_news *news, const char *trouble, bool signs);

#endif
