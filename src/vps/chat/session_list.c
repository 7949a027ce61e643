/*
 * A list is a post that its reader's next one replaces. It is only ever changed when a session
 * ends: what has begun since is in the next list, and how those in it fare is on their cards.
 *
 * Re-entrancy: session_lists_update() comes from inside the sessions' events, when the session that
 * ended is not found any more; it sets posts, and calls nothing else.
 */
#include "vps/chat/session_list.h"

#include <stdlib.h>

#include "vps/chat/button.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

/* As many as a phone shows without scrolling; and readers whose list stays true. */
enum { ROWS_MAX = 8, READERS_MAX = 32, LABEL_SIZE = 160 };

struct session_lists {
    const struct conversation *conversation;
    struct session_list {
        struct post *post; /* NULL: the place is free */
        int64_t person;
        enum session_list_scope scope;
    } lists[READERS_MAX];
    unsigned next; /* the place that is taken when none is free: the oldest, roughly */
};

/* What is shown of it, while it is written. */
struct rows {
    const struct conversation *conversation;
    enum session_list_scope scope;
    struct text *html;
    char labels[ROWS_MAX][LABEL_SIZE], data[ROWS_MAX][BUTTON_DATA_SIZE];
    struct button buttons[ROWS_MAX];
    unsigned count, others;
};

static void add_row(struct rows *rows, const struct session_view *view)
{
    char name[PEOPLE_NAME_MAX];
    unsigned i = rows->count;
    if (i == ROWS_MAX) {
        rows->others++;
        return;
    }
    const bool is_named = rows->scope == SESSION_LIST_ALL;
    people_name(rows->conversation->people, &view->owner, name);
    struct text label = text_over(rows->labels[i], LABEL_SIZE);
    text_add(&label, "%s %u: %s", text_phrase(rows->html, BUTTONS[BUTTON_CLOSE].label), i + 1,
             view->name && view->name[0] ? view->name : view->host);
    if (is_named) {
        text_add(&label, " (%s)", name);
    }
    button_format(BUTTON_CLOSE, view->id, 0, rows->data[i]);
    rows->buttons[i] = (struct button){
        .label = rows->labels[i], .data = rows->data[i], .wide = true};
    texts_open_session(rows->html, ++rows->count, is_named ? name : NULL, view);
}

/* The oldest first: that one is needed the least, mostly. */
static void add_rows(struct rows *rows, const struct owner *reader)
{
    struct session *session = NULL;
    while ((session = sessions_next(rows->conversation->sessions, session))) {
        struct session_view view;
        session_view(session, &view);
        if (rows->scope == SESSION_LIST_ALL || owner_equal(&view.owner, reader)) {
            add_row(rows, &view);
        }
    }
}

static void show(const struct session_lists *lists, const struct session_list *list,
                 const char *head)
{
    const struct conversation *conversation = lists->conversation;
    const struct owner reader = transport_owner(conversation->transport, list->person);
    char body_buffer[TEXTS_SIZE], buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, list->person, buffer, sizeof buffer);
    struct text body = text_for_reader_of(&html, body_buffer, sizeof body_buffer);
    struct rows rows = {.conversation = conversation, .scope = list->scope, .html = &body};
    add_rows(&rows, &reader);
    if (head) {
        text_add(&html, "%s", head);
    } else {
        texts_sessions_head(&html, rows.count + rows.others, list->scope == SESSION_LIST_ALL);
    }
    text_add(&html, "%s", body_buffer);
    texts_sessions_tail(&html, rows.others, list->scope == SESSION_LIST_ALL);
    transport_set(conversation->transport, list->post, buffer, rows.buttons, rows.count);
}

/* The place of this reader's last one, a free one, or the next in turn. */
static struct session_list *place_for(struct session_lists *lists, int64_t person)
{
    struct session_list *free_place = NULL;
    for (unsigned i = 0; i < READERS_MAX; i++) {
        struct session_list *list = &lists->lists[i];
        if (list->post && list->person == person) {
            return list;
        }
        free_place = list->post ? free_place : list;
    }
    return free_place ? free_place : &lists->lists[lists->next++ % READERS_MAX];
}

void session_lists_say(struct session_lists *lists, int64_t person, enum session_list_scope scope,
                       const char *head)
{
    struct transport *transport = lists->conversation->transport;
    struct session_list *list = place_for(lists, person);
    transport_release(transport, list->post);
    *list = (struct session_list){
        .post = transport_post(transport, person), .person = person, .scope = scope};
    show(lists, list, head);
}

/* Who was an administrator when they asked may be none by now. */
static void update(const struct session_lists *lists, struct session_list *list)
{
    if (!conversation_may(lists->conversation, WHO_ADMINISTRATOR, list->person, NULL)) {
        list->scope = SESSION_LIST_OWN;
    }
    show(lists, list, NULL);
}

void session_lists_update(struct session_lists *lists)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (lists->lists[i].post) {
            update(lists, &lists->lists[i]);
        }
    }
}

struct session_lists *session_lists_new(const struct conversation *conversation)
{
    struct session_lists *lists = calloc(1, sizeof *lists);
    if (lists) {
        lists->conversation = conversation;
    }
    return lists;
}

void session_lists_free(struct session_lists *lists)
{
    for (unsigned i = 0; lists && i < READERS_MAX; i++) {
        transport_release(lists->conversation->transport, lists->lists[i].post);
    }
    free(lists);
}
