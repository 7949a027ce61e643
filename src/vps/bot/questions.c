#include "vps/bot/questions.h"

#include "base/clock.h"
#include "vps/bot/press.h"
#include "vps/bot/texts.h"

void questions_init(struct questions *questions, struct outbox *outbox, int64_t chat_id,
                    bool asks_always)
{
    *questions = (struct questions){
        .outbox = outbox, .chat_id = chat_id, .asks_always = asks_always};
}

/* A client from this address that is still parked, or NULL. */
static const struct parked_view *find_parked(const struct session_view *view,
                                             const struct addr *from)
{
    for (unsigned i = 0; i < view->parked_count; i++) {
        if (addr_same_host(&view->parked[i].from, from)) {
            return &view->parked[i];
        }
    }
    return NULL;
}

static struct question *find_question(struct questions *questions, const struct addr *from)
{
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        if (questions->open[i].post && addr_same_host(&questions->open[i].from, from)) {
            return &questions->open[i];
        }
    }
    return NULL;
}

static struct question *free_place(struct questions *questions)
{
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        if (!questions->open[i].post) {
            return &questions->open[i];
        }
    }
    return NULL;
}

static void ask(struct questions *questions, const struct session_view *view,
                const struct parked_view *parked)
{
    struct question *question = free_place(questions);
    unsigned held_back;
    if (!question || !log_sieve_pass(&questions->sieve, clock_ms(), &held_back)) {
        return; /* asked at the next opportunity, if the client is still there */
    }
    struct post *post = post_new(questions->outbox, questions->chat_id);
    if (!post) {
        return;
    }
    *question = (struct question){.post = post, .number = parked->number, .from = parked->from};

    char admit[PRESS_DATA_SIZE], block[PRESS_DATA_SIZE], buffer[TEXTS_SIZE];
    const struct button buttons[] = {
        {LABEL_ADMIT, press_format(PRESS_ADMIT, view->id, parked->number, admit), NULL},
        {LABEL_BLOCK, press_format(PRESS_BLOCK, view->id, parked->number, block), NULL},
    };
    struct text html = text_over(buffer, sizeof buffer);
    texts_question(&html, view, &parked->from, questions->asks_always);
    post_set(post, buffer, buttons, 2);
    html = text_over(buffer, sizeof buffer);
    texts_answered(&html, view, &parked->from, TEXTS_GONE);
    post_keep(post, buffer);
}

static void close_question(struct question *question, const struct session_view *view)
{
    char buffer[TEXTS_SIZE];
    struct text html = text_over(buffer, sizeof buffer);
    texts_answered(&html, view, &question->from,
                   question->admitting  ? TEXTS_ADMITTED
                   : question->blocking ? TEXTS_BLOCKED
                                        : TEXTS_GONE);
    post_set(question->post, buffer, NULL, 0);
    post_release(question->post);
    question->post = NULL;
}

void questions_update(struct questions *questions, const struct session_view *view)
{
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        struct question *question = &questions->open[i];
        if (question->post && !find_parked(view, &question->from)) {
            close_question(question, view);
        }
    }
    for (unsigned i = 0; i < view->parked_count; i++) {
        if (!find_question(questions, &view->parked[i].from)) {
            ask(questions, view, &view->parked[i]);
        }
    }
}

static struct question *find_number(struct questions *questions, unsigned number)
{
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        if (questions->open[i].post && questions->open[i].number == number) {
            return &questions->open[i];
        }
    }
    return NULL;
}

const char *questions_decide(struct questions *questions, struct session *session, unsigned number,
                             bool admit)
{
    struct session_view view;
    session_view(session, &view);
    struct question *question = find_number(questions, number);
    /* The client that caused the question may have gone and come again: the address counts. */
    const struct parked_view *parked = question ? find_parked(&view, &question->from) : NULL;
    if (!parked) {
        return TEXT_CLIENT_GONE;
    }
    question->admitting = admit;
    question->blocking = !admit;
    int err = admit ? session_admit(session, parked->number, &view.owner)
                    : session_block(session, parked->number, &view.owner);
    if (err < 0) {
        return TEXT_CLIENT_GONE;
    }
    return admit ? TEXT_ADMITTED : TEXT_BLOCKED;
}

void questions_done(struct questions *questions, const struct session_view *view)
{
    for (unsigned i = 0; i < SESSION_PARKED_MAX; i++) {
        if (questions->open[i].post) {
            close_question(&questions->open[i], view);
        }
    }
}
