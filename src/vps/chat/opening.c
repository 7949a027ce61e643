/*
 * A command opens a session at once, or waits for its gateway or for others (approvals.c), or is
 * refused; which of these is decided in one place (try), for commands, for suggestions and for
 * those that waited.
 */
#include "vps/chat/opening.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cooldown.h"
#include "vps/chat/button.h"
#include "vps/chat/cards.h"
#include "vps/chat/command.h"
#include "vps/chat/recents.h"
#include "vps/chat/refusal.h"
#include "vps/chat/waiting.h"

enum {
    SUGGESTION_MAX_AGE_S = 120, /* longer than a command's: it takes a moment to read, too */
    AGAIN_EVERY_MS = 5000,
};

static const char WHY[] = " why: "; /* as it is typed */

struct opening {
    struct conversation *conversation;
    struct waiting *waiting;
    struct cooldown pressed; /* suggestions that were taken, by their messages */
};

void opening_show(struct conversation *conversation, struct session *session, int64_t person,
                  struct post *post)
{
    const struct card_options options = {.audit = conversation->audit,
                                         .loop = conversation->loop,
                                         .transport = conversation->transport,
                                         .settings = conversation->settings,
                                         .readers = conversation->readers,
                                         .names = conversation->names,
                                         .person = person,
                                         .post = post};
    if (cards_add(conversation->cards, &options, session) < 0) {
        /* Nobody could see, admit or close it. */
        log_error(conversation->log, "%s: out of memory for a session's message",
                  transport_name(conversation->transport));
        transport_release(conversation->transport, post);
        session_close(session);
    }
}

/*
 * text: the command as it was sent. again: it was tried before. Returns false, having done
 * nothing, if it may_wait for a gateway that is on its way.
 */
static bool try(struct conversation *conversation, int64_t person, const char *text,
                const struct command *command, bool again, bool may_wait)
{
    struct session_request request = {
        .owner = transport_owner(conversation->transport, person),
        .kind = command->row->kind,
        .target = command->target,
        .again = again,
    };
    struct session *session;
    struct hold *hold;
    struct why why = {""};
    request_take_reason(&request, command->reason);
    snprintf(request.language, sizeof request.language, "%s",
             language_code(readers_language(conversation->readers, person)));
    int err = holds_open(conversation->holds, &request, &session, &hold, &why);
    if (err == 0) {
        opening_show(conversation, session, person, NULL);
    }
    if (err == 0 || err == -EINPROGRESS) { /* approvals.c says what it waits for */
        return true;
    }
    /* No gateway, or not that one: it may log in again any moment, if one of us was restarted. */
    if (may_wait && (err == -ENOTCONN || err == -ENOENT) &&
        sessions_expect_gateway(conversation->sessions, &command->target)) {
        return false;
    }
    refusal_say(conversation, person, text, err, &why);
    return true;
}

/* A command that was understood before. Its user may have lost the right to it since. */
static bool try_again(void *arg, int64_t person, const char *text, bool last)
{
    struct conversation *conversation = ((struct opening *)arg)->conversation;
    struct command command;
    struct why why;
    return command_parse(text, conversation->bot_name, &command, &why) != COMMAND_OK ||
           !conversation_may(conversation, command.row->who, person, NULL) ||
           try(conversation, person, text, &command, true, !last);
}

static void open_soon(struct conversation *conversation, int64_t person, const char *text,
                      const struct command *command)
{
    if (!try(conversation, person, text, command, false, true) &&
        !waiting_add(conversation->opening->waiting, person, text)) {
        try(conversation, person, text, command, true, false);
    }
}

void opening_run(struct conversation *conversation, const struct incoming *incoming,
                 const struct command *command)
{
    open_soon(conversation, incoming->person, incoming->text, command);
}

/* A command that a button has; false: it is none that opens anything. */
static bool read_command(const struct conversation *conversation, const char *typed,
                         struct command *ret_command)
{
    struct why why;
    return command_parse(typed, conversation->bot_name, ret_command, &why) == COMMAND_OK &&
           ret_command->row->opens;
}

/* The same as sending that command, for as long as the suggestion is fresh, and once. */
enum answer opening_run_suggestion(struct conversation *conversation,
                                   const struct incoming *incoming,
                                   const struct button_press *press)
{
    struct command command;
    if (!read_command(conversation, press->command, &command)) {
        return ANSWER_NO_BUTTON;
    }
    /* Before anything else, and whatever comes of it: none of these is to be pressed again. */
    transport_strip(conversation->transport, incoming->person, incoming->message_id);
    if (incoming->age_s > SUGGESTION_MAX_AGE_S) {
        return ANSWER_TOO_OLD;
    }
    /* A second press may have been on its way before the buttons were off. */
    if (!cooldown_allows(&conversation->opening->pressed, incoming->message_id,
                         SUGGESTION_MAX_AGE_S * 1000, clock_ms())) {
        return ANSWER_RUNNING_ALREADY;
    }
    open_soon(conversation, incoming->person, press->command, &command);
    return ANSWER_RUNNING;
}

/* With what was said the last time of what it is for: a button has no room for that. */
static void add_reason(const struct conversation *conversation, int64_t person,
                       const struct command *command, struct text *text)
{
    const struct owner owner = transport_owner(conversation->transport, person);
    const char *reason = recents_reason(conversation->recents, &owner, command->row->kind,
                                        command->rest);
    if (reason[0]) {
        text_add(text, "%s%s", WHY, reason);
    }
}

/* Below a session that has ended: at any time, but not twice by a finger that trembles. */
enum answer opening_run_again(struct conversation *conversation, const struct incoming *incoming,
                              const struct button_press *press)
{
    char typed[BUTTON_DATA_SIZE + sizeof WHY + REASON_MAX];
    struct text text = text_over(typed, sizeof typed);
    struct command command;
    if (!read_command(conversation, press->command, &command)) {
        return ANSWER_NO_BUTTON;
    }
    if (!cooldown_allows(&conversation->opening->pressed, incoming->message_id, AGAIN_EVERY_MS,
                         clock_ms())) {
        return ANSWER_AGAIN_ALREADY;
    }
    text_add(&text, "%s", press->command);
    add_reason(conversation, incoming->person, &command, &text);
    if (read_command(conversation, typed, &command)) {
        open_soon(conversation, incoming->person, typed, &command);
    }
    return ANSWER_RUNNING;
}

struct opening *opening_new(struct conversation *conversation)
{
    struct opening *opening = calloc(1, sizeof *opening);
    if (!opening) {
        return NULL;
    }
    opening->conversation = conversation;
    opening->waiting = waiting_new(conversation->loop, try_again, opening);
    if (!opening->waiting) {
        free(opening);
        return NULL;
    }
    return opening;
}

void opening_end(struct opening *opening)
{
    waiting_end(opening->waiting);
}

void opening_free(struct opening *opening)
{
    if (opening) {
        waiting_free(opening->waiting);
        free(opening);
    }
}
