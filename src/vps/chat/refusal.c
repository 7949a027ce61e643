#include "vps/chat/refusal.h"

#include <errno.h>
#include <stdio.h>

#include "vps/chat/press.h"
#include "vps/chat/suggest.h"
#include "vps/chat/texts.h"

enum { CLOSE_MAX = 8, LABEL_SIZE = 64 };

static void say_gateways(const struct refusal *refusal, struct text *html)
{
    const char *names[SUGGESTIONS_MAX];
    struct suggestions suggestions = {0};
    unsigned count = sessions_gateways(refusal->sessions, names, SUGGESTIONS_MAX);
    for (unsigned i = 0; i < count && i < SUGGESTIONS_MAX; i++) {
        suggest_gateway(refusal->command, refusal->bot_name, names[i], &suggestions);
    }
    suggest_say(&suggestions, refusal->outbox, refusal->chat_id, html);
}

/* Those of this user, the oldest first. */
static void say_sessions(const struct refusal *refusal, struct text *html)
{
    char data[CLOSE_MAX][PRESS_DATA_SIZE], labels[CLOSE_MAX][LABEL_SIZE];
    struct button buttons[CLOSE_MAX];
    const struct owner owner = {.kind = OWNER_TELEGRAM, .id = refusal->chat_id};
    unsigned count = 0;
    struct session *session = NULL;
    while (count < CLOSE_MAX && (session = sessions_next(refusal->sessions, session))) {
        struct session_view view;
        session_view(session, &view);
        if (!owner_equal(&view.owner, &owner)) {
            continue;
        }
        struct text label = text_over(labels[count], LABEL_SIZE);
        text_add(&label, "%s %u: %s", LABEL_CLOSE, count + 1, view.host);
        press_format(PRESS_CLOSE, view.id, 0, data[count]);
        buttons[count] = (struct button){.label = labels[count], .data = data[count], .wide = true};
        texts_open_session(html, ++count, &view);
    }
    outbox_say_with(refusal->outbox, refusal->chat_id, html->start, buttons, count);
}

void refusal_say(const struct refusal *refusal, int err, const struct why *why)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    texts_not_opened(&html, why);
    if (err == -EDESTADDRREQ) {
        say_gateways(refusal, &html);
    } else if (err == -EDQUOT) {
        say_sessions(refusal, &html);
    } else {
        outbox_say(refusal->outbox, refusal->chat_id, buffer);
    }
}
