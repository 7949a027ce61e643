/* content: what a message shows, as the JSON of the Bot API. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_CONTENT_H
#define PAMTUNNEL_VPS_TELEGRAM_CONTENT_H

#include <jansson.h>

#include "vps/transport/transport.h"

/*
 * Telegram's limits: of a message, a caption, a button's copied text, the answer to a
 * pressed button and what the bot says of itself in characters, of a button's data in bytes.
 */
enum {
    CONTENT_MESSAGE_MAX = 4096,
    CONTENT_CAPTION_MAX = 1024,
    CONTENT_COPY_TEXT_MAX = 256,
    CONTENT_DATA_MAX = 64,
    CONTENT_ANSWER_MAX = 200,
    CONTENT_DESCRIPTION_MAX = 512,
    CONTENT_SHORT_DESCRIPTION_MAX = 120,
};

/*
 * Text in HTML, with buttons; one whose text to copy is too long is left out. NULL when
 * out of memory.
 */
json_t *content_of_message(const char *html, const struct button *buttons, unsigned count);
/* A file's caption in HTML. */
json_t *content_of_caption(const char *html);

#endif
