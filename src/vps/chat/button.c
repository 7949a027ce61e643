/*
 * What a press sends back is not to be trusted: a client can send any data to any bot that it talks
 * to, and messages with buttons outlive sessions and this process. So it is read as strictly as
 * anything from outside, names its session by a random ID, and whose session that is
 * is looked up anew with each press.
 */
#include "vps/chat/button.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct button_row BUTTONS[BUTTON_COUNT] = {
#define BUTTON(NAME, word, label, takes, who, over, run) \
    [BUTTON_##NAME] = {word, label, BUTTON_TAKES_##takes, who, over, run},
#include "vps/chat/button.def"
#undef BUTTON
};

/* ---- what it sends back ----------------------------------------------------- */

char *button_format(enum button_verb verb, const char *id, unsigned number, char *dst)
{
    if (BUTTONS[verb].takes == BUTTON_TAKES_NOTHING) {
        snprintf(dst, BUTTON_DATA_SIZE, "%s:", BUTTONS[verb].word);
    } else if (BUTTONS[verb].takes == BUTTON_TAKES_CLIENT) {
        snprintf(dst, BUTTON_DATA_SIZE, "%s:%s:%u", BUTTONS[verb].word, id, number);
    } else {
        snprintf(dst, BUTTON_DATA_SIZE, "%s:%s", BUTTONS[verb].word, id);
    }
    return dst;
}

int button_format_of_command(enum button_verb verb, const char *command, char *dst)
{
    int len = snprintf(dst, BUTTON_DATA_SIZE, "%s:%s", BUTTONS[verb].word, command);
    return len > BUTTON_DATA_MAX ? -EMSGSIZE : 0;
}

int button_format_command(const char *command, char *dst)
{
    return button_format_of_command(BUTTON_RUN, command, dst);
}

/* One to nine digits, and nothing else. */
static int parse_number(const char *text, unsigned *ret_number)
{
    size_t len = strlen(text);
    if (len < 1 || len > 9 || strspn(text, "0123456789") != len) {
        return -EINVAL;
    }
    return sscanf(text, "%u", ret_number) == 1 ? 0 : -EINVAL;
}

/* "ID" or "ID:NUMBER". */
static int parse_session(const char *id, bool has_number, struct button_press *press)
{
    size_t len = strcspn(id, ":");
    const char *rest = id + len;
    if (len < 1 || len > SESSION_ID_SIZE || (*rest == ':') != has_number ||
        (*rest && parse_number(rest + 1, &press->number) < 0)) {
        return -EINVAL;
    }
    memcpy(press->id, id, len);
    return 0;
}

int button_parse(const char *data, struct button_press *ret_press)
{
    size_t len = strcspn(data, ":");
    unsigned verb = 0;
    while (verb < BUTTON_COUNT &&
           (strlen(BUTTONS[verb].word) != len || strncmp(data, BUTTONS[verb].word, len) != 0)) {
        verb++;
    }
    if (verb == BUTTON_COUNT || data[len] != ':') {
        return -EINVAL;
    }
    *ret_press = (struct button_press){.verb = (enum button_verb)verb};
    if (BUTTONS[verb].takes == BUTTON_TAKES_COMMAND) {
        ret_press->command = data + len + 1;
        return 0;
    }
    if (BUTTONS[verb].takes == BUTTON_TAKES_NOTHING) {
        return data[len + 1] == '\0' ? 0 : -EINVAL;
    }
    return parse_session(data + len + 1, BUTTONS[verb].takes == BUTTON_TAKES_CLIENT, ret_press);
}

/* ---- what it does ----------------------------------------------------------- */

static enum answer run_of_session(struct conversation *conversation,
                                  const struct incoming *incoming, struct button_press *press)
{
    const struct button_row *row = &BUTTONS[press->verb];
    struct session_view view;
    press->session = sessions_find(conversation->sessions, press->id);
    if (press->session) {
        session_view(press->session, &view);
    }
    if (!press->session || view.state == SESSION_ENDED) {
        /* From before a restart, perhaps: nobody else takes that button away. */
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
        return row->over;
    }
    if (!conversation_may(conversation, row->who, incoming->person, &view.owner)) {
        conversation_refuse(conversation, incoming->person, incoming->data);
        return ANSWER_NOT_YOURS;
    }
    return row->run(conversation, incoming, press);
}

/* What became of a request that is gone: its message says so by now, but a press may be older. */
static enum answer answer_of_fate(const struct conversation *conversation,
                                  const struct button_press *press)
{
    enum hold_state fate;
    if (!holds_fate(conversation->holds, press->id, &fate)) {
        return BUTTONS[press->verb].over;
    }
    return fate == HOLD_DENIED    ? ANSWER_HOLD_DENIED
           : fate == HOLD_EXPIRED ? ANSWER_HOLD_EXPIRED
           : fate == HOLD_GRANTED ? ANSWER_HOLD_GRANTED
           : fate == HOLD_REFUSED ? ANSWER_HOLD_OVER
                                  : ANSWER_HOLD_WITHDRAWN;
}

static enum answer run_of_hold(struct conversation *conversation, const struct incoming *incoming,
                               struct button_press *press)
{
    const struct button_row *row = &BUTTONS[press->verb];
    struct hold_view view;
    press->hold = holds_find(conversation->holds, press->id);
    if (!press->hold) {
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
        return answer_of_fate(conversation, press);
    }
    hold_view(press->hold, &view);
    if (!conversation_may(conversation, row->who, incoming->person, &view.request->owner)) {
        conversation_refuse(conversation, incoming->person, incoming->data);
        return ANSWER_NOT_YOUR_REQUEST;
    }
    return row->run(conversation, incoming, press);
}

static enum answer run_of_waking(struct conversation *conversation, const struct incoming *incoming,
                                 struct button_press *press)
{
    const struct button_row *row = &BUTTONS[press->verb];
    struct waking_view view;
    press->waking = wakings_find(conversation->wakings, press->id);
    if (!press->waking) {
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
        return row->over;
    }
    waking_view(press->waking, &view);
    if (!conversation_may(conversation, row->who, incoming->person, &view.request->owner)) {
        conversation_refuse(conversation, incoming->person, incoming->data);
        return ANSWER_NOT_YOURS;
    }
    return row->run(conversation, incoming, press);
}

enum answer button_run(struct conversation *conversation, const struct incoming *incoming)
{
    struct button_press press;
    if (!incoming->data || button_parse(incoming->data, &press) < 0) {
        return ANSWER_NO_BUTTON;
    }
    const struct button_row *row = &BUTTONS[press.verb];
    if (row->takes == BUTTON_TAKES_HOLD) {
        return run_of_hold(conversation, incoming, &press);
    }
    if (row->takes == BUTTON_TAKES_WAKING) {
        return run_of_waking(conversation, incoming, &press);
    }
    if (row->takes == BUTTON_TAKES_SESSION || row->takes == BUTTON_TAKES_CLIENT) {
        return run_of_session(conversation, incoming, &press);
    }
    if (!conversation_may(conversation, row->who, incoming->person, NULL)) {
        conversation_refuse(conversation, incoming->person, incoming->data);
        return row->who == WHO_ADMINISTRATOR ? ANSWER_ADMINISTRATORS_ONLY : ANSWER_NO_BUTTON;
    }
    return row->run(conversation, incoming, &press);
}
