/*
 * A question is about a party, not about a client: programs open several connections at once, and
 * people are asked once about all of them. Its post is edited while
 * clients of that party come and go, and says in the end what became of it.
 *
 * What is asked is the door's to say (parked_view.asked); this only compares the questions that
 * are open with those who wait now, each time that anything changed. So no event can be missed.
 *
 * Re-entrancy: questions_decide() calls the session, which calls questions_update() and may end: it
 * notes what was decided before that, and touches nothing afterwards.
 */
#include "vps/chat/questions.h"

#include <stdio.h>

#include "base/clock.h"
#include "vps/chat/button.h"
#include "vps/chat/texts.h"

void questions_init(struct questions *questions, struct transport *transport,
                    const struct readers *readers, int64_t person, struct session *session,
                    bool asks_always)
{
    *questions = (struct questions){.transport = transport,
                                    .readers = readers,
                                    .person = person,
                                    .session = session,
                                    .asks_always = asks_always};
}

static struct text text_of(const struct questions *questions, char *buffer, size_t size)
{
    return readers_text(questions->readers, questions->person, buffer, size);
}

/* ---- one question --------------------------------------------------------- */

/* The clients that a question about this party is about. */
static unsigned collect(const struct parked_view *parked, unsigned count, const struct addr *party,
                        const struct parked_view *ret_clients[TEXTS_CLIENTS_MAX])
{
    unsigned found = 0;
    for (unsigned i = 0; i < count && found < TEXTS_CLIENTS_MAX; i++) {
        if (parked[i].asked && addr_same_party(&parked[i].from, party)) {
            ret_clients[found++] = &parked[i];
        }
    }
    return found;
}

static struct question *find_question(struct questions *questions, const struct addr *party)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (questions->open[i].post && addr_same_party(&questions->open[i].from, party)) {
            return &questions->open[i];
        }
    }
    return NULL;
}

static struct question *free_place(struct questions *questions)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (!questions->open[i].post) {
            return &questions->open[i];
        }
    }
    return NULL;
}

/* Says what is so now: it can become more, or fewer, of that party. */
static void put(const struct questions *questions, const struct question *question,
                const struct session_view *view, const struct parked_view *const clients[],
                unsigned count)
{
    char data[TEXTS_CLIENTS_MAX + 1][BUTTON_DATA_SIZE], labels[TEXTS_CLIENTS_MAX][24];
    char buffer[TEXTS_SIZE];
    struct button buttons[TEXTS_CLIENTS_MAX + 1];
    struct text html = text_of(questions, buffer, sizeof buffer);
    for (unsigned i = 0; i < count; i++) {
        snprintf(labels[i], sizeof labels[i], count == 1 ? "%s" : "%s %u",
                 text_phrase(&html, BUTTONS[BUTTON_ADMIT].label), i + 1);
        button_format(BUTTON_ADMIT, view->id, clients[i]->number, data[i]);
        buttons[i] = (struct button){.label = labels[i], .data = data[i]};
    }
    /*
     * Admit is for one client, which a person may have told from its neighbours; Block is for all
     * of the party.
     */
    button_format(BUTTON_BLOCK, view->id, clients[0]->number, data[count]);
    buttons[count] = (struct button){.label = text_phrase(&html, BUTTONS[BUTTON_BLOCK].label),
                                     .data = data[count]};
    texts_question(&html, view, clients, count, questions->asks_always);
    transport_set(questions->transport, question->post, buffer, buttons, count + 1);
    html = text_of(questions, buffer, sizeof buffer);
    texts_answered(&html, view, &question->from, TEXTS_GONE);
    /* What the next vps-agent changes the message to, if this one is killed. */
    transport_keep(questions->transport, question->post, buffer);
}

static void ask(struct questions *questions, const struct session_view *view,
                const struct parked_view *const clients[], unsigned count)
{
    struct question *question = find_question(questions, &clients[0]->from);
    if (!question && (question = free_place(questions))) {
        *question = (struct question){
            .post = transport_post(questions->transport, questions->person),
            .from = clients[0]->from};
    }
    if (question && question->post) {
        put(questions, question, view, clients, count);
    }
}

static bool still_waits(const struct parked_view *parked, unsigned count, const struct addr *party)
{
    unsigned i = 0;
    while (i < count && !addr_same_party(&parked[i].from, party)) {
        i++;
    }
    return i < count;
}

/* What became of it by another's word than a press here: the link's, or pamctl's. */
static enum texts_fate fate_of(const struct session_view *view, const struct addr *party,
                               bool waits)
{
    bool is_in = view->has_client && addr_same_party(&view->client, party);
    return is_in && view->is_by_link     ? TEXTS_LINKED
           : is_in && view->is_by_person ? TEXTS_ADMITTED
           : waits                       ? TEXTS_PUT_OFF
                                         : TEXTS_GONE;
}

static void close_question(const struct questions *questions, struct question *question,
                           const struct session_view *view, bool waits)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_of(questions, buffer, sizeof buffer);
    texts_answered(&html, view, &question->from,
                   question->admitting  ? TEXTS_ADMITTED
                   : question->blocking ? TEXTS_BLOCKED
                                        : fate_of(view, &question->from, waits));
    transport_set(questions->transport, question->post, buffer, NULL, 0);
    transport_release(questions->transport, question->post);
    question->post = NULL;
}

/* ---- strangers ------------------------------------------------------------ */

static bool can_be_admitted(const struct session_view *view)
{
    return view->state != SESSION_ENDED && !view->has_client;
}

static void put_knocking(struct questions *questions, const struct session_view *view)
{
    char buffer[TEXTS_SIZE], data[BUTTON_DATA_SIZE];
    struct text html = text_of(questions, buffer, sizeof buffer);
    const struct button button = {.label = text_phrase(&html, BUTTONS[BUTTON_WHO_WAITS].label),
                                  .data = button_format(BUTTON_WHO_WAITS, view->id, 0, data)};
    questions->knocking_ms = clock_ms();
    questions->knocking_is_open = can_be_admitted(view);
    texts_knocking(&html, view, questions->knocking_is_open);
    transport_set(questions->transport, questions->knocking, buffer, &button,
                  questions->knocking_is_open);
    html = text_of(questions, buffer, sizeof buffer);
    texts_knocking(&html, view, false);
    transport_keep(questions->transport, questions->knocking, buffer);
}

/* Said once, and renewed now and then: strangers must not fill the user's chat. */
static void update_knocking(struct questions *questions, const struct session_view *view)
{
    bool told = questions->knocking != NULL;
    if (!told && (!view->knocking.worth_telling || !can_be_admitted(view))) {
        return;
    }
    if (!told) {
        questions->knocking = transport_post(questions->transport, questions->person);
    }
    bool changed = questions->knocking_is_open != can_be_admitted(view);
    if (!told || changed || clock_ms() - questions->knocking_ms >= QUESTIONS_KNOCKING_MS) {
        put_knocking(questions, view);
    }
}

/* ---- all of them ----------------------------------------------------------- */

void questions_update(struct questions *questions, const struct session_view *view)
{
    struct parked_view parked[PARKED_MAX];
    const struct parked_view *clients[TEXTS_CLIENTS_MAX];
    unsigned count = session_parked(questions->session, parked);
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        struct question *question = &questions->open[i];
        if (question->post && collect(parked, count, &question->from, clients) == 0) {
            close_question(questions, question, view, still_waits(parked, count, &question->from));
        }
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned found = parked[i].asked ? collect(parked, count, &parked[i].from, clients) : 0;
        if (found > 0 && clients[0] == &parked[i]) {
            ask(questions, view, clients, found);
        }
    }
    update_knocking(questions, view);
}

static void note_decision(struct questions *questions, unsigned number, bool admitted)
{
    unsigned i = questions->next_decided++ % QUESTIONS_DECIDED_MAX;
    questions->decided[i].number = number;
    questions->decided[i].admitted = admitted;
}

/* The last one. */
static void forget_decision(struct questions *questions)
{
    questions->decided[--questions->next_decided % QUESTIONS_DECIDED_MAX].number = 0;
}

/* There is no question about it any more. */
static enum answer why_not(const struct questions *questions, unsigned number)
{
    for (unsigned i = 0; i < QUESTIONS_DECIDED_MAX; i++) {
        if (number > 0 && questions->decided[i].number == number) {
            return questions->decided[i].admitted ? ANSWER_ALREADY_ADMITTED
                                                  : ANSWER_ALREADY_BLOCKED;
        }
    }
    return ANSWER_CLIENT_GONE;
}

enum answer questions_decide(struct questions *questions, struct session *session, unsigned number,
                             bool admit)
{
    struct parked_view parked[PARKED_MAX];
    struct session_view view;
    unsigned count = session_parked(session, parked), i = 0;
    session_view(session, &view);
    while (i < count && parked[i].number != number) {
        i++;
    }
    /* Another one of its party may wait, but it is not the one that the user was shown. */
    struct question *question = i < count ? find_question(questions, &parked[i].from) : NULL;
    if (!question) {
        return why_not(questions, number);
    }
    question->admitting = admit;
    question->blocking = !admit;
    note_decision(questions, number, admit); /* the card may be gone when the session is told */
    int err = admit ? session_admit(session, number, &view.owner)
                    : session_block(session, number, &view.owner);
    if (err < 0) { /* nobody was told, so that all of this is still there */
        question->admitting = question->blocking = false;
        forget_decision(questions);
        return ANSWER_CLIENT_GONE;
    }
    return admit ? ANSWER_ADMITTED : ANSWER_BLOCKED;
}

void questions_done(struct questions *questions, const struct session_view *view)
{
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        if (questions->open[i].post) {
            close_question(questions, &questions->open[i], view, false);
        }
    }
    if (questions->knocking) {
        put_knocking(questions, view);
        transport_release(questions->transport, questions->knocking);
        questions->knocking = NULL;
    }
}
