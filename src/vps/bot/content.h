/* content: what a message shows, as the JSON of the Bot API. */
#ifndef PAMTUNNEL_VPS_BOT_CONTENT_H
#define PAMTUNNEL_VPS_BOT_CONTENT_H

#include <jansson.h>

/*
 * Telegram's limits: of a message, a caption, a button's copied text and the answer to
 * a pressed button in characters, of a button's data in bytes.
 */
enum {
    MESSAGE_MAX = 4096,
    CAPTION_MAX = 1024,
    COPY_TEXT_MAX = 256,
    CALLBACK_DATA_MAX = 64,
    ANSWER_MAX = 200,
};

/* One in the row below a message: it sends back `data`, or copies `copy`. */
struct button {
    const char *label;
    const char *data;
    const char *copy;
};

/*
 * Text in HTML, with buttons; one whose text to copy is too long is left out. NULL when
 * out of memory.
 */
json_t *content_of_message(const char *html, const struct button *buttons, unsigned count);
/* A file's caption in HTML. */
json_t *content_of_caption(const char *html);

#endif
