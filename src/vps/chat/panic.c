/*
 * /panic ends every session and opens none, after a question; the rows are in command.def and
 * button.def. Only somebody on the server unlocks it: who has a stolen phone in hand must not.
 */
#include "vps/chat/panic.h"

#include <time.h>

#include "vps/chat/administrators.h"
#include "vps/chat/button.h"
#include "vps/chat/command.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

/* Whoever comes upon the question later, does so by accident. */
enum { QUESTION_MAX_AGE_S = 120 };

/* By their name in the policy. A number says nothing: then by what they are. */
static void add_name(const struct conversation *conversation, const struct owner *by,
                     struct text *html)
{
    char name[PEOPLE_NAME_MAX];
    if (people_user(conversation->people, by)) {
        html_add(html, people_name(conversation->people, by, name));
    } else {
        text_add(html, "%s", text_phrase(html, "an administrator"));
    }
}

bool panic_add_lock(const struct conversation *conversation, struct text *html)
{
    struct lockdown_view view;
    char when[32], name_buffer[2 * PEOPLE_NAME_MAX];
    struct text name = text_for_reader_of(html, name_buffer, sizeof name_buffer);
    struct tm utc;
    if (!lockdown_view(sessions_lockdown(conversation->sessions), &view)) {
        return false;
    }
    time_t since = (time_t)view.since_unix;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", gmtime_r(&since, &utc));
    if (view.is_in_doubt) {
        texts_lock_in_doubt(html, when);
        return true;
    }
    add_name(conversation, &view.by, &name);
    text_add(html,
             "The server has been locked by %s since %s: nothing can be opened. Only somebody on "
             "the server itself can unlock it, with <code>pamctl unlock</code>.",
             name_buffer, when);
    return true;
}

void panic_run(struct conversation *conversation, const struct incoming *incoming,
               const struct command *command)
{
    (void)command;
    char buffer[TEXTS_SIZE], yes[BUTTON_DATA_SIZE], no[BUTTON_DATA_SIZE];
    struct text html = conversation_text(conversation, incoming->person, buffer, sizeof buffer);
    if (panic_add_lock(conversation, &html)) {
        transport_say(conversation->transport, incoming->person, buffer);
        return;
    }
    const struct button buttons[] = {
        {.label = text_phrase(&html, BUTTONS[BUTTON_PANIC].label),
         .data = button_format(BUTTON_PANIC, NULL, 0, yes),
         .wide = true},
        {.label = text_phrase(&html, BUTTONS[BUTTON_NO_PANIC].label),
         .data = button_format(BUTTON_NO_PANIC, NULL, 0, no),
         .wide = true},
    };
    texts_panic(&html, sessions_count(conversation->sessions));
    transport_say_with(conversation->transport, incoming->person, buffer, buttons, 2);
}

enum answer panic_button_yes(struct conversation *conversation, const struct incoming *incoming,
                             const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    unsigned ended;
    (void)press;
    transport_strip(conversation->transport, incoming->person, incoming->message_id);
    if (incoming->age_s > QUESTION_MAX_AGE_S) {
        return ANSWER_PANIC_TOO_OLD;
    }
    return sessions_lock(conversation->sessions, &by, &ended) ? ANSWER_LOCKED
                                                              : ANSWER_LOCKED_ALREADY;
}

enum answer panic_button_no(struct conversation *conversation, const struct incoming *incoming,
                            const struct button_press *press)
{
    (void)press;
    transport_strip(conversation->transport, incoming->person, incoming->message_id);
    return ANSWER_NOT_LOCKED;
}

static void write_news(const struct conversation *conversation, struct text *html,
                       const void *about)
{
    const struct session_event *event = about;
    char name_buffer[2 * PEOPLE_NAME_MAX];
    struct text name = text_for_reader_of(html, name_buffer, sizeof name_buffer);
    if (!event->by) {
        panic_add_lock(conversation, html);
        return;
    }
    add_name(conversation, event->by, &name);
    if (event->kind == SESSION_SERVER_LOCKED) {
        texts_locked(html, name_buffer, event->number, event->reason);
    } else {
        texts_unlocked(html, name_buffer, event->reason);
    }
}

void panic_tell(const struct conversation *conversation, const struct session_event *event)
{
    administrators_tell(conversation, 0, write_news, event);
}
