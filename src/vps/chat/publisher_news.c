#include "vps/chat/publisher_news.h"

#include "vps/chat/administrators.h"
#include "vps/chat/language.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

static void write_news(const struct conversation *conversation, struct text *html,
                       const void *about)
{
    const char *trouble = about;
    char buffer[TEXTS_PART_SIZE], said[TEXTS_PART_SIZE];
    struct text shown = text_for_reader_of(html, buffer, sizeof buffer);
    (void)conversation;
    if (trouble) {
        html_add_words(&shown, language_sentence(html, trouble, said, sizeof said));
        text_add(
            html,
            "⚠️ .rdp files are not signed: %s.\n\nThey work all the same, but Windows warns of "
            "an unknown publisher. When the files of RDP_SIGN_CERT and RDP_SIGN_KEY are in "
            "order, vps-agent notices that by itself.",
            buffer);
    } else {
        text_add(html, "✅ .rdp files are signed again.");
    }
}

void publisher_news_changed(struct publisher_news *news, const char *trouble, bool signs)
{
    if (trouble || (news->told && signs)) {
        administrators_tell(news->conversation, 0, write_news, trouble);
    }
    news->told = trouble != NULL;
}
