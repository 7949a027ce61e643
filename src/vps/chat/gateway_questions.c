/*
 * There is one question at a time, since there is one applicant at a time: it begins with
 * APPLICANT_ASKS and ends with one of its ends, both of which come from the loop or from inside a
 * press. The cards are the administrators' of the moment in which it was asked.
 *
 * The code stands on the button as well, so that a finger goes where the eye has compared. The name
 * is what the gateway calls itself: it holds no code (accord_name_is_plain()), and is shown as is.
 */
#include "vps/chat/gateway_questions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vps/chat/button.h"
#include "vps/chat/language.h"
#include "vps/chat/texts.h"
#include "vps/gateways/gateways.h"
#include "vps/transport/html.h"

_Static_assert(APPLICANT_ID_MAX < 100000000 && SESSION_ID_SIZE >= 8, "it is read as an ID");

/* A message to one administrator. */
struct asked {
    int64_t person;
    struct post *post;
};

struct gateway_questions {
    struct conversation *conversation;
    struct asked asked[GATEWAY_QUESTIONS_ADMINISTRATORS_MAX];
    unsigned asked_count;
    /* The latest decisions, in a ring: a late press is told so. */
    struct {
        unsigned id;
        enum applicant_event_kind kind;
    } decided[GATEWAY_QUESTIONS_DECIDED_MAX];
    unsigned next_decided;
};

static struct applicants *applicants_of(const struct conversation *conversation)
{
    const struct gateways *gateways = sessions_all_gateways(conversation->sessions);
    return gateways ? gateways_applicants(gateways) : NULL;
}

/* ---- what is said ---------------------------------------------------------- */

enum { NAME_SIZE = 1024, PLACE_SIZE = 256 };

/* What a sentence is about, as HTML, for phrases of a whole sentence. */
struct words {
    char name[NAME_SIZE], place[PLACE_SIZE], code[32], by[NAME_SIZE];
};

static void take_words(struct words *words, const struct conversation *conversation,
                       const struct text *html, const struct applicant_event *event)
{
    const struct applicant_view *about = event->view;
    char host[ADDR_HOST_MAX], name[PEOPLE_NAME_MAX];
    struct text text = text_for_reader_of(html, words->name, sizeof words->name);
    html_add_in_tag(&text, "code", about->name);
    text = text_for_reader_of(html, words->place, sizeof words->place);
    html_add_in_tag(&text, "code", addr_host_text(&about->from, host));
    text = text_for_reader_of(html, words->code, sizeof words->code);
    html_add_in_tag(&text, "b", about->code);
    text = text_for_reader_of(html, words->by, sizeof words->by);
    html_add(&text, event->by ? people_name(conversation->people, event->by, name) : "");
}

static void add_warnings(struct text *html, const struct applicant_view *about)
{
    char other[NAME_SIZE];
    struct text text = text_for_reader_of(html, other, sizeof other);
    if (about->replaces) {
        text_add(html,
                 "\n⚠️ A gateway of that name was paired before, and is away: this one would "
                 "take its place.");
    }
    if (about->resembles) {
        html_add_in_tag(&text, "code", about->resembles);
        text_add(html, "\n⚠️ It is not %s, which is another gateway here.", other);
    }
}

static void add_question(struct text *html, const struct conversation *conversation,
                         const struct applicant_event *event)
{
    struct words words;
    take_words(&words, conversation, html, event);
    text_add(html, "🔗 A gateway that calls itself %s asks to be paired. It is at %s, and shows %s.",
             words.name, words.place, words.code);
    add_warnings(html, event->view);
    text_add(html, "\nLet it in only if its own log or terminal shows the same code. If it shows "
                   "another one, somebody is in between; if you know of no such gateway, it is "
                   "somebody else's.");
}

static void add_outcome(struct text *html, const struct conversation *conversation,
                        const struct applicant_event *event)
{
    char said[256];
    struct words words;
    take_words(&words, conversation, html, event);
    switch (event->kind) {
    case APPLICANT_ASKS:
    case APPLICANT_CROWD:
        break;
    case APPLICANT_LET_IN:
        text_add(html, "⏳ Gateway %s, which shows %s, was let in by %s, and gets its key.",
                 words.name, words.code, words.by);
        break;
    case APPLICANT_PAIRED:
        text_add(html, "✅ Gateway %s is paired. It showed %s, and was let in by %s.", words.name,
                 words.code, words.by);
        break;
    case APPLICANT_DENIED:
        text_add(html, "❌ Gateway %s at %s, which showed %s, was refused by %s.", words.name,
                 words.place, words.code, words.by);
        break;
    case APPLICANT_EXPIRED:
        text_add(html,
                 "❌ Gateway %s at %s, which showed %s, was not answered in ten minutes. It can ask "
                 "again after pamctl gateway pair, on the server.",
                 words.name, words.place, words.code);
        break;
    case APPLICANT_LEFT:
        text_add(
            html,
            "❌ Gateway %s at %s, which showed %s, has gone before it was paired. It asks again "
            "by itself, with another code.",
            words.name, words.place, words.code);
        break;
    case APPLICANT_FAILED:
        text_add(html, "❌ Gateway %s at %s, which showed %s, was not paired: %s.", words.name,
                 words.place, words.code, language_sentence(html, event->why, said, sizeof said));
        break;
    }
}

static void add_restarted(struct text *html)
{
    text_add(html,
             "A gateway asked to be paired, and the server was restarted meanwhile. If it may "
             "still ask, it does so by itself, with another code.");
}

/* ---- cards ----------------------------------------------------------------- */

static void ask(const struct conversation *conversation, struct asked *asked,
                const struct applicant_event *event)
{
    char buffer[TEXTS_SIZE], label_buffer[128], id[SESSION_ID_SIZE + 4], yes[BUTTON_DATA_SIZE],
        no[BUTTON_DATA_SIZE];
    struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    struct text label = text_for_reader_of(&html, label_buffer, sizeof label_buffer);
    text_add(&label, "It shows %s: let in", event->view->code);
    snprintf(id, sizeof id, "%u", event->view->id);
    const struct button buttons[] = {
        {.label = label_buffer,
         .data = button_format(BUTTON_LET_GATEWAY_IN, id, 0, yes),
         .wide = true},
        {.label = text_phrase(&html, BUTTONS[BUTTON_REFUSE_GATEWAY].label),
         .data = button_format(BUTTON_REFUSE_GATEWAY, id, 0, no),
         .wide = true},
    };
    asked->post = transport_post(conversation->transport, asked->person);
    add_question(&html, conversation, event);
    transport_set(conversation->transport, asked->post, buffer, buttons, 2);
    html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    add_restarted(&html);
    transport_keep(conversation->transport, asked->post, buffer);
}

static void ask_all(struct gateway_questions *questions, const struct applicant_event *event)
{
    const struct conversation *conversation = questions->conversation;
    struct owner administrators[GATEWAY_QUESTIONS_ADMINISTRATORS_MAX];
    questions->asked_count = people_in_chat(conversation->people, POLICY_ADMINISTRATOR,
                                            administrators, GATEWAY_QUESTIONS_ADMINISTRATORS_MAX);
    for (unsigned i = 0; i < questions->asked_count; i++) {
        questions->asked[i].person = administrators[i].id;
        ask(conversation, &questions->asked[i], event);
    }
}

/* Their card's place, or another one; NULL: there are too many. */
static struct asked *place_of(struct gateway_questions *questions, int64_t person)
{
    unsigned at = 0;
    while (at < questions->asked_count && questions->asked[at].person != person) {
        at++;
    }
    if (at == GATEWAY_QUESTIONS_ADMINISTRATORS_MAX) {
        return NULL;
    }
    if (at == questions->asked_count) {
        questions->asked[questions->asked_count++] = (struct asked){.person = person};
    }
    return &questions->asked[at];
}

void gateway_questions_remind(struct conversation *conversation, int64_t person)
{
    struct gateway_questions *questions = conversation->gateway_questions;
    struct applicants *applicants = questions ? applicants_of(conversation) : NULL;
    struct applicant_view about;
    if (!applicants || !applicants_view(applicants, &about) || about.let_in ||
        !conversation_may(conversation, WHO_ADMINISTRATOR, person, NULL)) {
        return;
    }
    struct asked *asked = place_of(questions, person);
    if (asked) {
        const struct applicant_event event = {.kind = APPLICANT_ASKS, .view = &about};
        transport_delete(conversation->transport, asked->post);
        ask(conversation, asked, &event);
    }
}

/* Without buttons from now on; what is over is let go. */
static void say_on_cards(struct gateway_questions *questions, const struct applicant_event *event)
{
    const struct conversation *conversation = questions->conversation;
    char buffer[TEXTS_SIZE];
    for (unsigned i = 0; i < questions->asked_count; i++) {
        struct asked *asked = &questions->asked[i];
        struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
        add_outcome(&html, conversation, event);
        transport_set(conversation->transport, asked->post, buffer, NULL, 0);
    }
}

static void let_go(struct gateway_questions *questions)
{
    for (unsigned i = 0; i < questions->asked_count; i++) {
        transport_release(questions->conversation->transport, questions->asked[i].post);
    }
    questions->asked_count = 0;
}

static void tell_of_crowd(const struct conversation *conversation)
{
    struct owner to[GATEWAY_QUESTIONS_ADMINISTRATORS_MAX];
    unsigned people = people_in_chat(conversation->people, POLICY_ADMINISTRATOR, to,
                                     GATEWAY_QUESTIONS_ADMINISTRATORS_MAX);
    for (unsigned i = 0; i < people; i++) {
        char buffer[TEXTS_SIZE];
        struct text html = conversation_text(conversation, to[i].id, buffer, sizeof buffer);
        text_add(
            &html,
            "⚠️ %d gateways have asked to be paired, and no other one is heard: somebody may "
            "be trying to be taken for yours. On the server, <code>pamctl gateway pair</code> "
            "has them heard again, and <code>pamctl gateway add</code> makes a join string "
            "for yours instead.",
            APPLICANTS_TRIES);
        transport_say(conversation->transport, to[i].id, buffer);
    }
}

static void on_event(void *arg, const struct applicant_event *event)
{
    struct gateway_questions *questions = arg;
    if (event->kind == APPLICANT_CROWD) {
        tell_of_crowd(questions->conversation);
        return;
    }
    if (event->kind == APPLICANT_ASKS) {
        let_go(questions);
        ask_all(questions, event);
        return;
    }
    say_on_cards(questions, event);
    if (event->kind != APPLICANT_LET_IN) {
        unsigned at = questions->next_decided++ % GATEWAY_QUESTIONS_DECIDED_MAX;
        questions->decided[at].id = event->view->id;
        questions->decided[at].kind = event->kind;
        let_go(questions);
    }
}

/* ---- pressed buttons --------------------------------------------------------- */

static enum answer too_late(const struct gateway_questions *questions, unsigned id)
{
    for (unsigned i = 0; id > 0 && i < GATEWAY_QUESTIONS_DECIDED_MAX; i++) {
        if (questions->decided[i].id == id) {
            return questions->decided[i].kind == APPLICANT_PAIRED ? ANSWER_APPLICANT_LET_IN_ALREADY
                   : questions->decided[i].kind == APPLICANT_DENIED
                       ? ANSWER_APPLICANT_REFUSED_ALREADY
                       : ANSWER_APPLICANT_GONE;
        }
    }
    return ANSWER_APPLICANT_GONE;
}

typedef int (*decide_fn)(struct applicants *applicants, unsigned id, const struct owner *by);

static enum answer decide(struct conversation *conversation, const struct incoming *incoming,
                          const struct button_press *press, decide_fn say, enum answer done)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    struct applicants *applicants = applicants_of(conversation);
    unsigned id = 0;
    int err = applicants && sscanf(press->id, "%8u", &id) == 1 ? say(applicants, id, &by) : -ENOENT;
    if (err == -ENOENT) {
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
    }
    return err == 0           ? done
           : err == -EALREADY ? ANSWER_APPLICANT_LET_IN_ALREADY
                              : too_late(conversation->gateway_questions, id);
}

enum answer gateway_questions_button_let_in(struct conversation *conversation,
                                            const struct incoming *incoming,
                                            const struct button_press *press)
{
    return conversation_is_locked(conversation)
               ? ANSWER_NOBODY_WHILE_LOCKED
               : decide(conversation, incoming, press, applicants_accept, ANSWER_APPLICANT_LET_IN);
}

enum answer gateway_questions_button_refuse(struct conversation *conversation,
                                            const struct incoming *incoming,
                                            const struct button_press *press)
{
    return decide(conversation, incoming, press, applicants_deny, ANSWER_APPLICANT_REFUSED);
}

/* ---- life -------------------------------------------------------------------- */

struct gateway_questions *gateway_questions_new(struct conversation *conversation)
{
    struct gateway_questions *questions = calloc(1, sizeof *questions);
    struct applicants *applicants = applicants_of(conversation);
    if (!questions) {
        return NULL;
    }
    questions->conversation = conversation;
    if (applicants && applicants_watch(applicants, (struct applicant_watcher){
                                                       .event = on_event, .arg = questions}) < 0) {
        free(questions);
        return NULL;
    }
    return questions;
}

void gateway_questions_end(struct gateway_questions *questions)
{
    const struct conversation *conversation = questions->conversation;
    char buffer[TEXTS_SIZE];
    for (unsigned i = 0; i < questions->asked_count; i++) {
        struct asked *asked = &questions->asked[i];
        struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
        add_restarted(&html);
        transport_set(conversation->transport, asked->post, buffer, NULL, 0);
    }
    let_go(questions);
}

void gateway_questions_free(struct gateway_questions *questions)
{
    if (questions) {
        struct applicants *applicants = applicants_of(questions->conversation);
        if (applicants) {
            applicants_unwatch(applicants, questions);
        }
        let_go(questions);
        free(questions);
    }
}
