/*
 * For each waking of somebody in this chat there is an awakening: one post, and what stood on it
 * when the session ended that led to it. It is set to what is so now whenever that changes, and
 * once in a while for the seconds; the transport sends what differs.
 *
 * Re-entrancy: everything here comes from the wakings' events, from inside a press or a command,
 * and from the timer. A handler touches neither the waking nor the awakening after its verb.
 */
#include "vps/chat/awakenings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/timer.h"
#include "vps/chat/button.h"
#include "vps/chat/cards.h"
#include "vps/chat/command.h"
#include "vps/chat/opening.h"
#include "vps/chat/texts.h"
#include "vps/chat/texts_waking.h"

enum { SHOW_EVERY_MS = 5000, CHOICES_MAX = KIND_COUNT, LABEL_SIZE = 80 };

struct awakening {
    struct list home;
    struct waking *waking;
    int64_t person;
    struct post *post;
    char *ended;                  /* what its session said at last; NULL: there was none */
    char again[BUTTON_DATA_SIZE]; /* "": nothing is offered again */
};

struct awakenings {
    struct conversation *conversation;
    struct list list;
    struct timer *timer; /* runs while something is shown */
};

static struct texts_waking words_of(const struct awakenings *awakenings,
                                    const struct waking_view *view)
{
    const char *none[1];
    return (struct texts_waking){
        .view = view,
        .names_gateway = sessions_gateways(awakenings->conversation->sessions, none, 0) > 1};
}

/* ---- showing --------------------------------------------------------------------- */

static struct button button_of(const struct text *html, enum button_verb verb, const char *data)
{
    return (struct button){.label = text_phrase(html, BUTTONS[verb].label), .data = data};
}

/* What can be opened there now, by this person. */
struct choices {
    char labels[CHOICES_MAX][LABEL_SIZE], data[CHOICES_MAX][BUTTON_DATA_SIZE];
    struct button buttons[CHOICES_MAX];
    unsigned count;
};

/* "/wake lan/HOME-PC": this machine, as its user may name it. */
static void write_command(const struct awakenings *awakenings, const struct waking_view *view,
                          const char *command, struct text *text)
{
    const struct session_request *request = view->request;
    text_add(text, "/%s ", command);
    if (!request->name[0] && words_of(awakenings, view).names_gateway) {
        text_add(text, "%s/", request->target.gateway);
    }
    text_add(text, "%s", request->name[0] ? request->name : request->target.host);
}

/* This kind of session, at its usual port there. only: if that is the one that has answered. */
static void add_choice(const struct awakenings *awakenings, const struct waking_view *view,
                       enum kind kind, bool only, struct choices *choices)
{
    struct session_request request = *view->request;
    struct why why;
    unsigned i = choices->count;
    struct text label = text_over(choices->labels[i], LABEL_SIZE);
    request.kind = kind;
    request.target.port = kind_row(kind)->port;
    if (request.name[0]) { /* which the policy knows the port of */
        struct text host = text_over(request.target.host, sizeof request.target.host);
        text_add(&host, "%s", request.name);
    }
    int err = sessions_ask_reach(awakenings->conversation->sessions, &request, &why);
    write_command(awakenings, view, kind_name(kind), &label);
    if ((err == 0 || err == -ENOKEY) && request.target.port != 0 && !label.cut &&
        (!only || request.target.port == view->request->target.port) &&
        button_format_of_command(BUTTON_AGAIN, choices->labels[i], choices->data[i]) == 0) {
        choices->buttons[choices->count++] = (struct button){
            .label = choices->labels[i], .data = choices->data[i], .wide = true};
    }
}

static void add_choices(const struct awakenings *awakenings, const struct waking_view *view,
                        struct choices *choices)
{
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        add_choice(awakenings, view, (enum kind)kind, true, choices);
    }
    for (unsigned kind = 0; choices->count == 0 && kind < KIND_COUNT; kind++) {
        add_choice(awakenings, view, (enum kind)kind, false, choices);
    }
}

static void show_awake(const struct awakenings *awakenings, const struct awakening *awakening,
                       const struct waking_view *view, bool waits)
{
    const struct texts_waking words = words_of(awakenings, view);
    char buffer[TEXTS_SIZE];
    struct choices choices = {.count = 0};
    struct text html = conversation_text(awakenings->conversation, awakening->person, buffer,
                                         sizeof buffer);
    texts_waking_awake(&html, &words, waits);
    if (!view->opens) {
        add_choices(awakenings, view, &choices);
    }
    if (view->opens && !waits && awakening->again[0]) {
        choices.buttons[choices.count++] = button_of(&html, BUTTON_AGAIN, awakening->again);
    }
    transport_set(awakenings->conversation->transport, awakening->post, buffer, choices.buttons,
                  choices.count);
}

/* One message, with Again and one more button at most. */
static void show_with(const struct awakenings *awakenings, const struct awakening *awakening,
                      const struct text *html, const struct button *button)
{
    struct button buttons[2];
    unsigned count = 0;
    if (button) {
        buttons[count++] = *button;
    }
    if (awakening->again[0] && (!button || awakening->ended)) {
        buttons[count++] = button_of(html, BUTTON_AGAIN, awakening->again);
    }
    transport_set(awakenings->conversation->transport, awakening->post, html->start, buttons,
                  count);
}

static void show_offer(const struct awakenings *awakenings, const struct awakening *awakening,
                       const struct waking_view *view)
{
    char buffer[TEXTS_SIZE], data[BUTTON_DATA_SIZE];
    struct text html = conversation_text(awakenings->conversation, awakening->person, buffer,
                                         sizeof buffer);
    const struct button wake = button_of(&html, BUTTON_WAKE,
                                         button_format(BUTTON_WAKE, view->id, 0, data));
    text_add(&html, "%s", awakening->ended ? awakening->ended : "");
    if (view->state == WAKING_OFFERED) {
        texts_waking_offer(&html);
    }
    show_with(awakenings, awakening, &html, view->state == WAKING_OFFERED ? &wake : NULL);
}

static void show_asleep(const struct awakenings *awakenings, const struct awakening *awakening,
                        const struct waking_view *view)
{
    const struct texts_waking words = words_of(awakenings, view);
    char buffer[TEXTS_SIZE], data[BUTTON_DATA_SIZE];
    struct text html = conversation_text(awakenings->conversation, awakening->person, buffer,
                                         sizeof buffer);
    const struct button stop = button_of(&html, BUTTON_LET_SLEEP,
                                         button_format(BUTTON_LET_SLEEP, view->id, 0, data));
    texts_waking_asleep(&html, &words);
    transport_set(awakenings->conversation->transport, awakening->post, buffer, &stop, 1);
}

/* For its own sake: it is woken once more. "": the name is too long for a button. */
static void write_wake_again(const struct awakenings *awakenings, const struct waking_view *view,
                             char data[BUTTON_DATA_SIZE])
{
    char command[LABEL_SIZE];
    struct text text = text_over(command, sizeof command);
    write_command(awakenings, view, COMMANDS[COMMAND_OF_wake].name, &text);
    if (text.cut || button_format_of_command(BUTTON_WAKE_UP, command, data) < 0) {
        data[0] = '\0';
    }
}

static void show_end(const struct awakenings *awakenings, const struct awakening *awakening,
                     const struct waking_view *view)
{
    const struct texts_waking words = words_of(awakenings, view);
    char buffer[TEXTS_SIZE], data[BUTTON_DATA_SIZE] = "";
    struct text html = conversation_text(awakenings->conversation, awakening->person, buffer,
                                         sizeof buffer);
    if (view->state == WAKING_SILENT) {
        texts_waking_silent(&html, &words);
    } else {
        texts_waking_ended(&html, &words);
    }
    if (!view->opens && view->state == WAKING_SILENT) {
        write_wake_again(awakenings, view, data);
    }
    const struct button again = button_of(&html, BUTTON_AGAIN, data);
    show_with(awakenings, awakening, &html, data[0] ? &again : NULL);
}

static void show(const struct awakenings *awakenings, const struct awakening *awakening,
                 const struct waking_view *view, bool waits)
{
    switch (view->state) {
    case WAKING_OFFERED:
    case WAKING_EXPIRED:
        show_offer(awakenings, awakening, view);
        break;
    case WAKING_ASLEEP:
        show_asleep(awakenings, awakening, view);
        break;
    case WAKING_AWAKE:
        show_awake(awakenings, awakening, view, waits);
        break;
    case WAKING_SILENT:
    case WAKING_ENDED:
        show_end(awakenings, awakening, view);
        break;
    }
}

static void on_timer(void *arg)
{
    struct awakenings *awakenings = arg;
    list_each (struct awakening, awakening, &awakenings->list, home) {
        struct waking_view view;
        waking_view(awakening->waking, &view);
        show(awakenings, awakening, &view, false);
    }
    if (!list_is_empty(&awakenings->list)) {
        timer_set(awakenings->timer, SHOW_EVERY_MS);
    }
}

/* ---- what happens ------------------------------------------------------------------ */

static struct awakening *find(const struct awakenings *awakenings, const struct waking *waking)
{
    list_each (struct awakening, awakening, &awakenings->list, home) {
        if (awakening->waking == waking) {
            return awakening;
        }
    }
    return NULL;
}

static void drop(const struct awakenings *awakenings, struct awakening *awakening)
{
    transport_release(awakenings->conversation->transport, awakening->post);
    list_remove(&awakening->home);
    free(awakening->ended);
    free(awakening);
}

/* The message of the session that has ended, or one of its own. */
static void take_post(const struct awakenings *awakenings, struct awakening *awakening,
                      const struct waking_event *event)
{
    struct conversation *conversation = awakenings->conversation;
    const struct texts_waking words = words_of(awakenings, event->view);
    struct card *card = event->failed ? cards_find(conversation->cards, event->failed) : NULL;
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, awakening->person, buffer, sizeof buffer);
    if (card) {
        awakening->post = card_hand_over(card, &html, awakening->again);
        awakening->ended = strdup(buffer);
    } else {
        awakening->post = transport_post(conversation->transport, awakening->person);
    }
    html = conversation_text(conversation, awakening->person, buffer, sizeof buffer);
    texts_waking_restarted(&html, &words);
    transport_keep(conversation->transport, awakening->post, buffer);
}

/* NULL: it is of nobody in this chat, or there is no memory. */
static struct awakening *add(struct awakenings *awakenings, const struct waking_event *event)
{
    const struct owner *owner = &event->view->request->owner;
    const struct transport *transport = awakenings->conversation->transport;
    bool is_here = transport_owner(transport, owner->id).kind == owner->kind;
    struct awakening *awakening = is_here ? calloc(1, sizeof *awakening) : NULL;
    if (!awakening) {
        return NULL;
    }
    awakening->waking = event->waking;
    awakening->person = owner->id;
    if (list_is_empty(&awakenings->list)) {
        timer_set(awakenings->timer, SHOW_EVERY_MS);
    }
    list_append(&awakenings->list, &awakening->home);
    take_post(awakenings, awakening, event);
    return awakening;
}

static void on_waking(void *arg, const struct waking_event *event)
{
    struct awakenings *awakenings = arg;
    struct awakening *awakening = event->is_new ? add(awakenings, event)
                                                : find(awakenings, event->waking);
    if (!awakening) {
        return;
    }
    if (event->session) {
        opening_show(awakenings->conversation, event->session, awakening->person, awakening->post);
        awakening->post = NULL;
    } else {
        show(awakenings, awakening, event->view, event->hold != NULL);
    }
    if (waking_state_is_end(event->view->state)) {
        drop(awakenings, awakening);
    }
}

/* ---- life ------------------------------------------------------------------------------ */

struct awakenings *awakenings_new(struct conversation *conversation)
{
    struct awakenings *awakenings = calloc(1, sizeof *awakenings);
    if (!awakenings) {
        return NULL;
    }
    awakenings->conversation = conversation;
    list_init(&awakenings->list);
    awakenings->timer = timer_new(conversation->loop, on_timer, awakenings);
    if (!awakenings->timer ||
        wakings_watch(conversation->wakings,
                      (struct waking_watcher){.event = on_waking, .arg = awakenings}) < 0) {
        timer_free(awakenings->timer);
        free(awakenings);
        return NULL;
    }
    return awakenings;
}

void awakenings_free(struct awakenings *awakenings)
{
    if (!awakenings) {
        return;
    }
    wakings_unwatch(awakenings->conversation->wakings, awakenings);
    list_each (struct awakening, awakening, &awakenings->list, home) {
        drop(awakenings, awakening);
    }
    timer_free(awakenings->timer);
    free(awakenings);
}
