#include "vps/chat/key_questions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/chat/button.h"
#include "vps/chat/texts.h"
#include "vps/transport/html.h"

enum { DECIDERS_MAX = 64, PART_SIZE = 512 };

/* A message to one person. */
struct asked {
    char doubt[PIN_DOUBT_ID_MAX + 1];
    uint8_t shown[CRYPTO_HASH_SIZE];
    char target[PART_SIZE]; /* as HTML */
    int64_t person;
    struct post *post;
};

struct key_questions {
    const struct conversation *conversation;
    struct asked asked[KEY_QUESTIONS_MAX]; /* the oldest first */
    unsigned count;
};

/* ---- what is said ---------------------------------------------------------- */

/* The parts of a sentence, as HTML. */
struct words {
    char target[PART_SIZE], then[PART_SIZE], now[PART_SIZE], since[PART_SIZE];
};

static void add_identity(struct text *text, const struct identity *identity)
{
    char fingerprint[IDENTITY_TEXT_MAX];
    if (identity->key) {
        text_add(text, "%s ", identity_algorithm(identity));
    }
    html_add_in_tag(text, "code", identity_text(identity, fingerprint));
}

static void add_target(struct text *text, const struct conversation *conversation,
                       const struct pin_doubt *doubt)
{
    char target[TARGET_TEXT_MAX];
    const struct pin *pin = &doubt->pin;
    const char *gateways[2];
    target_format(pin->host, pin->port, target);
    text_add(text, "<b>");
    if (sessions_gateways(conversation->sessions, gateways, 2) > 1) {
        html_add(text, pin->gateway);
        text_add(text, "/");
    }
    html_add(text, pin->port == kind_row(pin->kind)->port ? pin->host : target);
    text_add(text, "</b>");
}

static void take_words(struct words *words, const struct conversation *conversation,
                       const struct text *html, const struct pin_doubt *doubt)
{
    char since[CLOCK_TEXT_MAX];
    const struct pin *pin = &doubt->pin;
    struct text text = text_for_reader_of(html, words->target, sizeof words->target);
    add_target(&text, conversation, doubt);
    text = text_for_reader_of(html, words->then, sizeof words->then);
    add_identity(&text, &pin->identity);
    text = text_for_reader_of(html, words->now, sizeof words->now);
    add_identity(&text, &doubt->shown);
    text = text_for_reader_of(html, words->since, sizeof words->since);
    text_add(&text, "%s", clock_day(pin->since, since));
}

static void add_question(struct text *html, const struct conversation *conversation,
                         const struct pin_doubt *doubt)
{
    struct words words;
    take_words(&words, conversation, html, doubt);
    text_add(html,
             doubt->pin.identity.key
                 ? "🔑 %s shows another host key than the one known since %s. Nothing was opened.\n"
                   "Before: %s\nNow: %s"
                 : "🔑 %s shows another certificate than the one known since %s. Nothing was "
                   "opened.\nBefore: %s\nNow: %s",
             words.target, words.since, words.then, words.now);
    text_add(html, "\n\nDo you know that it was reinstalled, or that another machine has this "
                   "address now? Then press <b>It was reinstalled</b>. If not, press <b>Leave "
                   "it</b> and look at the machine: another one may have taken its place.");
}

static void add_outcome(struct text *html, const struct conversation *conversation,
                        const struct pin_doubt *doubt, const struct session_event *event,
                        int64_t reader)
{
    char name[PEOPLE_NAME_MAX], by[PART_SIZE];
    struct words words;
    struct text text = text_for_reader_of(html, by, sizeof by);
    html_add(&text, people_name(conversation->people, event->by, name));
    take_words(&words, conversation, html, doubt);
    if (strcmp(event->word, "accepted") == 0) {
        text_add(html, "✅ %s can be opened again. It is known by what it shows now:\n%s",
                 words.target, words.now);
    } else {
        text_add(html, "❌ %s is not opened while it shows this:\n%s", words.target, words.now);
    }
    const struct owner self = transport_owner(conversation->transport, reader);
    if (!owner_equal(&self, event->by)) {
        text_add(html, "\nDecided by %s.", by);
    }
}

/* ---- messages -------------------------------------------------------------- */

static void forget_oldest(struct key_questions *questions)
{
    transport_release(questions->conversation->transport, questions->asked[0].post);
    questions->count--;
    memmove(&questions->asked[0], &questions->asked[1],
            questions->count * sizeof questions->asked[0]);
}

static void show_question(struct key_questions *questions, struct asked *asked,
                          const struct pin_doubt *doubt)
{
    const struct conversation *conversation = questions->conversation;
    char buffer[TEXTS_SIZE], yes[BUTTON_DATA_SIZE], no[BUTTON_DATA_SIZE];
    struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    const struct button buttons[] = {
        {.label = text_phrase(&html, BUTTONS[BUTTON_REINSTALLED].label),
         .data = button_format(BUTTON_REINSTALLED, doubt->id, 0, yes)},
        {.label = text_phrase(&html, BUTTONS[BUTTON_LEAVE_KEY].label),
         .data = button_format(BUTTON_LEAVE_KEY, doubt->id, 0, no)},
    };
    snprintf(asked->doubt, sizeof asked->doubt, "%s", doubt->id);
    add_question(&html, conversation, doubt);
    transport_set(conversation->transport, asked->post, buffer, buttons, 2);
}

/* It was asked for again: no buttons are left that lead nowhere. */
static void end_question(struct key_questions *questions, struct asked *asked)
{
    const struct conversation *conversation = questions->conversation;
    char buffer[TEXTS_SIZE];
    struct text html = conversation_text(conversation, asked->person, buffer, sizeof buffer);
    text_add(&html, "🔑 %s was asked for again: the question is further down now.", asked->target);
    transport_set(conversation->transport, asked->post, buffer, NULL, 0);
    transport_release(conversation->transport, asked->post);
    size_t at = (size_t)(asked - questions->asked);
    questions->count--;
    memmove(asked, asked + 1, (questions->count - at) * sizeof *asked);
}

static struct asked *find_asked(struct key_questions *questions, int64_t person, const char *target)
{
    for (unsigned i = 0; i < questions->count; i++) {
        struct asked *asked = &questions->asked[i];
        if (asked->person == person && strcmp(asked->target, target) == 0) {
            return asked;
        }
    }
    return NULL;
}

/*
 * Who asks for the machine finds the question below their message. For others one that is there
 * stays where it is: a user who tries again and again does not ring at administrators each time.
 */
static void ask(struct key_questions *questions, int64_t person, const struct pin_doubt *doubt)
{
    const struct conversation *conversation = questions->conversation;
    char target[PART_SIZE];
    struct text text = text_over(target, sizeof target);
    add_target(&text, conversation, doubt);
    struct asked *there = find_asked(questions, person, target);
    bool is_asker = doubt->owner.id == person && doubt->owner.kind != OWNER_LOCAL;
    bool is_same = there && memcmp(there->shown, doubt->shown.sha256, sizeof there->shown) == 0;
    if (is_same && !is_asker) {
        show_question(questions, there, doubt);
        return;
    }
    if (there) {
        end_question(questions, there);
    }
    if (questions->count == KEY_QUESTIONS_MAX) {
        forget_oldest(questions);
    }
    struct asked *asked = &questions->asked[questions->count++];
    *asked = (struct asked){.person = person,
                            .post = transport_post(conversation->transport, person)};
    memcpy(asked->shown, doubt->shown.sha256, sizeof asked->shown);
    snprintf(asked->target, sizeof asked->target, "%s", target);
    show_question(questions, asked, doubt);
}

static void ask_all(struct key_questions *questions, const struct pin_doubt *doubt)
{
    const struct conversation *conversation = questions->conversation;
    struct owner deciders[DECIDERS_MAX];
    unsigned count = people_in_chat(conversation->people, POLICY_ADMINISTRATOR, deciders,
                                    DECIDERS_MAX);
    bool is_asked = false;
    for (unsigned i = 0; i < count; i++) {
        is_asked = is_asked || owner_equal(&deciders[i], &doubt->owner);
        ask(questions, deciders[i].id, doubt);
    }
    if (!is_asked && doubt->owner.kind != OWNER_LOCAL &&
        sessions_may_decide_key(conversation->sessions, doubt, &doubt->owner)) {
        ask(questions, doubt->owner.id, doubt);
    }
}

static void show_outcome(struct key_questions *questions, const struct session_event *event)
{
    const struct conversation *conversation = questions->conversation;
    const struct pin_doubt *doubt = pins_doubt(sessions_pins(conversation->sessions), event->doubt);
    unsigned kept = 0;
    for (unsigned i = 0; i < questions->count; i++) {
        struct asked *asked = &questions->asked[i];
        char buffer[TEXTS_SIZE];
        if (strcmp(asked->doubt, event->doubt) != 0) {
            questions->asked[kept++] = *asked;
            continue;
        }
        if (doubt) {
            struct text html = conversation_text(conversation, asked->person, buffer,
                                                 sizeof buffer);
            add_outcome(&html, conversation, doubt, event, asked->person);
            transport_set(conversation->transport, asked->post, buffer, NULL, 0);
        }
        transport_release(conversation->transport, asked->post);
    }
    questions->count = kept;
}

void key_questions_event(struct key_questions *questions, const struct session_event *event)
{
    if (event->kind == SESSION_KEY_DECIDED) {
        show_outcome(questions, event);
    } else if (event->kind == SESSION_KEY_DOUBTED) {
        const struct pins *pins = sessions_pins(questions->conversation->sessions);
        const struct pin_doubt *doubt = pins_doubt(pins, event->view->id);
        if (doubt) {
            ask_all(questions, doubt);
        }
    }
}

/* ---- pressed buttons -------------------------------------------------------- */

static enum answer decide(struct conversation *conversation, const struct incoming *incoming,
                          const struct button_press *press, bool accept)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    const struct pin_doubt *doubt = pins_doubt(sessions_pins(conversation->sessions), press->id);
    if (!doubt) {
        transport_strip(conversation->transport, incoming->person, incoming->message_id);
        return ANSWER_KEY_GONE;
    }
    if (!sessions_may_decide_key(conversation->sessions, doubt, &by)) {
        conversation_refuse(conversation, incoming->person, incoming->data);
        return ANSWER_ADMINISTRATORS_ONLY;
    }
    if (accept && conversation_is_locked(conversation)) {
        return ANSWER_KEY_WHILE_LOCKED;
    }
    if (sessions_decide_key(conversation->sessions, press->id, accept, &by, NULL) < 0) {
        return ANSWER_KEY_NOT_RECORDED;
    }
    return accept ? ANSWER_KEY_ACCEPTED : ANSWER_KEY_LEFT;
}

enum answer key_questions_button_reinstalled(struct conversation *conversation,
                                             const struct incoming *incoming,
                                             const struct button_press *press)
{
    return decide(conversation, incoming, press, true);
}

enum answer key_questions_button_leave(struct conversation *conversation,
                                       const struct incoming *incoming,
                                       const struct button_press *press)
{
    return decide(conversation, incoming, press, false);
}

/* ---- life ------------------------------------------------------------------- */

struct key_questions *key_questions_new(const struct conversation *conversation)
{
    struct key_questions *questions = calloc(1, sizeof *questions);
    if (questions) {
        questions->conversation = conversation;
    }
    return questions;
}

void key_questions_free(struct key_questions *questions)
{
    while (questions && questions->count > 0) {
        forget_oldest(questions);
    }
    free(questions);
}
