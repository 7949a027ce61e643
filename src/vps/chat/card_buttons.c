/* What can be pressed below a card, by what its session is now. */
#include "vps/chat/button.h"
#include "vps/chat/card_core.h"
#include "vps/chat/retype.h"

static const char *more_label(const struct session_view *view)
{
    return kind_row(view->kind)->has_more_lines ? BUTTONS[BUTTON_MORE].label : LABEL_ADDRESS;
}

/* While there is a line or a file to use. */
bool card_can_switch_port(const struct session_view *view)
{
    return view->entrance_port > 0 && view->state == SESSION_WAITING;
}

static bool can_be_extended(const struct session_view *view)
{
    return view->state == SESSION_CONNECTED &&
           (view->idle_limit_s > 0 || (view->time_limit_s > 0 && !view->time_is_fixed));
}

/* What was taken away from its user, or closed for all, is not offered again. */
static bool may_come_again(const struct session_view *view)
{
    return view->state == SESSION_ENDED && view->end != SESSION_END_USER_REMOVED &&
           view->end != SESSION_END_RULE_REMOVED && view->end != SESSION_END_GATEWAY_REMOVED &&
           view->end != SESSION_END_LOCKED && view->end != SESSION_END_EXPIRED;
}

void card_format_again(const struct card *card, const struct session_view *view, char *ret_data)
{
    char command[BUTTON_DATA_SIZE + 1];
    struct text text = text_over(command, sizeof command);
    ret_data[0] = '\0';
    if (may_come_again(view)) {
        text_add(&text, "/%s ", kind_name(view->kind));
        retype_target(card->options.settings, card->session, &text);
        if (button_format_of_command(BUTTON_AGAIN, command, ret_data) < 0) {
            ret_data[0] = '\0';
        }
    }
}

void card_set(struct card *card, const struct session_view *view, const char *html,
              const char *command)
{
    char close[BUTTON_DATA_SIZE], more[BUTTON_DATA_SIZE], extend[BUTTON_DATA_SIZE];
    char strict[BUTTON_DATA_SIZE];
    struct button buttons[1 + BUTTON_COUNT]; /* Copy, and each of the others once */
    unsigned count = 0;
    if (command[0]) {
        buttons[count++] = (struct button){.label = card_label(card, LABEL_COPY), .copy = command};
    }
    if (card_has_more(view)) {
        button_format(BUTTON_MORE, view->id, 0, more);
        buttons[count++] = (struct button){
            .label = card_label(card, card->more ? LABEL_LESS : more_label(view)), .data = more};
    }
    if (card_can_switch_port(view)) {
        button_format(BUTTON_STRICT, view->id, 0, strict);
        buttons[count++] = (struct button){
            .label = card_label(card,
                                view->at_entrance ? LABEL_OWN_PORT : BUTTONS[BUTTON_STRICT].label),
            .data = strict};
    }
    if (can_be_extended(view)) {
        button_format(BUTTON_EXTEND, view->id, 0, extend);
        buttons[count++] = (struct button){.label = card_label(card, BUTTONS[BUTTON_EXTEND].label),
                                           .data = extend};
    }
    button_format(BUTTON_CLOSE, view->id, 0, close);
    buttons[count++] = (struct button){.label = card_label(card, BUTTONS[BUTTON_CLOSE].label),
                                       .data = close};
    transport_set(card->options.transport, card->post, html, buttons, count);
}
