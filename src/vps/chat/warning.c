#include "vps/chat/warning.h"

#include "vps/chat/button.h"
#include "vps/chat/readers.h"
#include "vps/chat/texts.h"

/* What it says if vps-agent is killed meanwhile. */
static void keep(const struct warning *warning, const struct session_view *view)
{
    char buffer[TEXTS_SIZE];
    struct text html = readers_text(warning->readers, warning->person, buffer, sizeof buffer);
    texts_restarted(&html, view);
    transport_keep(warning->transport, warning->post, buffer);
}

void warning_say(struct warning *warning, const struct session_view *view, enum session_end end,
                 unsigned seconds)
{
    char buffer[TEXTS_SIZE], extend[BUTTON_DATA_SIZE], close[BUTTON_DATA_SIZE];
    struct text html = readers_text(warning->readers, warning->person, buffer, sizeof buffer);
    struct button buttons[2];
    unsigned count = 0;
    bool can_extend = end == SESSION_END_IDLE ||
                      (end == SESSION_END_MAX_TIME && !view->time_is_fixed);
    if (can_extend) {
        buttons[count++] = (struct button){
            .label = text_phrase(&html, BUTTONS[BUTTON_EXTEND].label),
            .data = button_format(BUTTON_EXTEND, view->id, 0, extend)};
    }
    buttons[count++] = (struct button){.label = text_phrase(&html, BUTTONS[BUTTON_CLOSE].label),
                                       .data = button_format(BUTTON_CLOSE, view->id, 0, close)};
    texts_ending(&html, view, end, seconds, can_extend);
    transport_release(warning->transport, warning->post);
    warning->post = transport_post(warning->transport, warning->person);
    keep(warning, view);
    transport_set(warning->transport, warning->post, buffer, buttons, count);
}

void warning_over(struct warning *warning, const struct session_view *view)
{
    char buffer[TEXTS_SIZE];
    if (!warning->post) {
        return;
    }
    struct text html = readers_text(warning->readers, warning->person, buffer, sizeof buffer);
    texts_warning_over(&html, view);
    transport_set(warning->transport, warning->post, buffer, NULL, 0);
    transport_release(warning->transport, warning->post);
    warning->post = NULL;
}
