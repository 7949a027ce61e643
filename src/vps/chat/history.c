/*
 * /history: one's own sessions that are over, the last one first; to an administrator everybody's.
 * The audit is asked, which answers from the loop a moment later: until then who asked has a place
 * here. command.def has its row, command.h the declaration.
 */
#include "vps/chat/history.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vps/audit/audit_question.h"
#include "vps/chat/command.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

enum { ROWS_MAX = 10, ASKERS_MAX = 16, DAY_S = 24 * 3600 };

struct asker {
    struct history *history;
    int64_t person; /* 0: the place is free */
    bool sees_all;
    unsigned count; /* of the rows that were written */
    char buffer[TEXTS_SIZE];
    struct text html;
};

struct history {
    const struct conversation *conversation;
    struct asker askers[ASKERS_MAX];
};

struct history *history_new(const struct conversation *conversation)
{
    struct history *history = calloc(1, sizeof *history);
    if (history) {
        history->conversation = conversation;
    }
    return history;
}

void history_free(struct history *history)
{
    for (unsigned i = 0; history && i < ASKERS_MAX; i++) {
        audit_detach(history->conversation->audit, &history->askers[i]);
    }
    free(history);
}

/* ---- the answer ------------------------------------------------------------ */

/* The day only if it was not in the last one. */
static const char *when(int64_t at_ms, char dst[TEXTS_PART_SIZE])
{
    time_t at = (time_t)(at_ms / 1000);
    struct tm utc;
    strftime(dst, TEXTS_PART_SIZE, time(NULL) - at < DAY_S ? "%H:%M" : "%d.%m.%Y %H:%M",
             gmtime_r(&at, &utc));
    return dst;
}

/* By the name that the policy gave when it happened, else by the account. */
static void add_person(struct text *html, const json_t *body, const char *account)
{
    const char *name = json_string_value(json_object_get(body, "name"));
    text_add(html, ", ");
    html_add(html, name ? name : account);
}

/* As the session's own message called it. */
static void add_what(struct text *html, const json_t *body, const char *address)
{
    char buffer[TEXTS_PART_SIZE], tagged[TEXTS_PART_SIZE];
    struct text target = text_for_reader_of(html, buffer, sizeof buffer);
    const char *name = json_string_value(json_object_get(body, "target_name"));
    const char *kind = json_string_value(json_object_get(body, "kind"));
    const struct kind_row *row = kind ? kind_find(kind) : NULL;
    texts_in_tag(html, "b", name ? name : address, tagged);
    if (row) {
        text_add(&target, "%s to %s", row->label, tagged);
    }
    text_add(html, "%s", row ? buffer : tagged);
}

static void on_record(void *arg, const struct audit_record_view *view)
{
    struct asker *asker = arg;
    struct text *html = &asker->html;
    char at[TEXTS_PART_SIZE], span[TEXTS_PART_SIZE];
    if (asker->count == ROWS_MAX) {
        return;
    }
    json_t *body = json_loads(view->body, 0, NULL);
    json_int_t seconds = json_integer_value(json_object_get(body, "seconds"));
    if (asker->count++ == 0) {
        text_add(html, "The last sessions, by when they ended (UTC):");
    }
    text_add(html, "\n%s  ", when(view->at_ms, at));
    add_what(html, body, view->target);
    if (seconds > 0) {
        text_add(html, ", connected for %s", texts_span(html, (uint64_t)seconds, span));
    } else {
        text_add(html, ", nobody connected");
    }
    if (asker->sees_all) {
        add_person(html, body, view->person);
    }
    json_decref(body);
}

static void on_done(void *arg, int err, bool more)
{
    struct asker *asker = arg;
    (void)more;
    if (err < 0) {
        asker->html = text_for_reader_of(&asker->html, asker->buffer, sizeof asker->buffer);
        text_add(&asker->html, "What happened cannot be looked up at the moment.");
    } else if (asker->count == 0) {
        text_add(&asker->html, "No session has ended yet.");
    }
    transport_say(asker->history->conversation->transport, asker->person, asker->buffer);
    asker->person = 0;
}

/* ---- the question ----------------------------------------------------------- */

/* A place for who asks. NULL: there is none, or they have one already. */
static struct asker *take_place(struct history *history, int64_t person)
{
    struct asker *place = NULL;
    for (unsigned i = 0; i < ASKERS_MAX; i++) {
        struct asker *asker = &history->askers[i];
        if (asker->person == person) {
            return NULL;
        }
        place = place || asker->person ? place : asker;
    }
    return place;
}

void history_run(struct conversation *conversation, const struct incoming *incoming,
                 const struct command *command)
{
    static const struct audit_answer ANSWER = {.record = on_record, .done = on_done};
    const struct owner account = transport_owner(conversation->transport, incoming->person);
    struct asker *asker = take_place(conversation->history, incoming->person);
    (void)command;
    if (!asker) {
        return; /* the answer is on its way */
    }
    asker->history = conversation->history;
    asker->person = incoming->person;
    asker->count = 0;
    asker->sees_all = conversation_may(conversation, WHO_ADMINISTRATOR, incoming->person, NULL);
    asker->html = conversation_text(conversation, incoming->person, asker->buffer,
                                    sizeof asker->buffer);
    const struct audit_question question = {.accounts = &account,
                                            .account_count = asker->sees_all ? 0 : 1,
                                            .events = {"session.ended"},
                                            .latest = true};
    int err = audit_ask(conversation->audit, &question, &ANSWER, asker);
    if (err < 0) {
        on_done(asker, err, false);
    }
}
