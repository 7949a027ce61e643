/* content: what a message shows, as the JSON of the Bot API. */
#ifndef PAMTUNNEL_VPS_TELEGRAM_CONTENT_H
#define PAMTUNNEL_VPS_TELEGRAM_CONTENT_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Telegram's limits: of a message, a caption, a button's copied text, the answer to a
 * pressed button and what the bot says of itself in characters, of a button's data in bytes.
 */
enum {
    MESSAGE_MAX = 4096,
    CAPTION_MAX = 1024,
    COPY_TEXT_MAX = 256,
    CALLBACK_DATA_MAX = 64,
    ANSWER_MAX = 200,
    DESCRIPTION_MAX = 512,
    SHORT_DESCRIPTION_MAX = 120,
};

/* One below a message: it sends back `data`, or copies `copy`. */
struct button {
    const char *label;
    const char *data;
    const char *copy;
    bool wide; /* it has a row of its own; all others share one */
};

/*
 * Text in HTML, with buttons; one whose text to copy is too long is left out. NULL when
 * out of memory.
 */
json_t *content_of_message(const char *html, const struct button *buttons, unsigned count);
/* A file's caption in HTML. */
json_t *content_of_caption(const char *html);

#endif
