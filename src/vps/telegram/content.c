#include "vps/telegram/content.h"

#include <string.h>

enum { ROW_MAX = 3 };

_Static_assert(BUTTON_DATA_MAX <= (int)CONTENT_DATA_MAX, "a button's data is refused");

static json_t *button_json(const struct button *button)
{
    if (button->copy) {
        return json_pack("{s:s,s:{s:s}}", "text", button->label, "copy_text", "text", button->copy);
    }
    return json_pack("{s:s,s:s}", "text", button->label, "callback_data", button->data);
}

/* What is too long to be copied has no button. */
static bool is_shown(const struct button *button)
{
    return !button->copy || strlen(button->copy) <= CONTENT_COPY_TEXT_MAX;
}

/* A phone cuts the labels of four in a row. */
static unsigned each_row(const struct button *buttons, unsigned count)
{
    unsigned narrow = 0;
    for (unsigned i = 0; i < count; i++) {
        narrow += is_shown(&buttons[i]) && !buttons[i].wide;
    }
    return narrow > ROW_MAX ? 2 : ROW_MAX;
}

/* A command is too long to share a row with another button. NULL if there is none. */
static json_t *keyboard_json(const struct button *buttons, unsigned count)
{
    json_t *rows = json_array(), *shared = NULL;
    unsigned most = each_row(buttons, count);
    for (unsigned i = 0; i < count; i++) {
        if (!is_shown(&buttons[i])) {
            continue;
        }
        json_t *row = buttons[i].wide || json_array_size(shared) == most ? NULL : shared;
        if (!row) {
            row = json_array();
            json_array_append_new(rows, row);
        }
        json_array_append_new(row, button_json(&buttons[i]));
        shared = buttons[i].wide ? shared : row;
    }
    if (json_array_size(rows) == 0) {
        json_decref(rows);
        return NULL;
    }
    return json_pack("{s:o}", "inline_keyboard", rows);
}

json_t *content_of_message(const char *html, const struct button *buttons, unsigned count)
{
    json_t *content = json_pack("{s:s,s:s,s:{s:b}}", "text", html, "parse_mode", "HTML",
                                "link_preview_options", "is_disabled", 1);
    json_t *keyboard = keyboard_json(buttons, count);
    if (keyboard) {
        json_object_set_new(content, "reply_markup", keyboard);
    }
    return content;
}

json_t *content_of_caption(const char *html)
{
    return json_pack("{s:s,s:s}", "caption", html, "parse_mode", "HTML");
}
