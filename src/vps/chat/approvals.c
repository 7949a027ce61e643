/*
 * For each request there is an approval: the post of whoever asks, if they did so in the chat, and
 * one for each account that may agree. Whenever anything happens, and once in a while for the time
 * that is left, all of them are set to what is so now; the transport sends what differs. Who may
 * agree is looked up each time, since a reload may have changed it: those who came are asked, those
 * who lost the right are told so.
 *
 * Re-entrancy: everything here comes from the holds' events, from inside a press or a command, and
 * from the timer. A handler touches neither the request nor the approval after its verb, which may
 * have ended both.
 */
#include "vps/chat/approvals.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/timer.h"
#include "vps/chat/button.h"
#include "vps/chat/opening.h"
#include "vps/chat/texts.h"
#include "vps/chat/texts_consent.h"
#include "vps/consent/approver.h"
#include "vps/transport/html.h"

enum { SHOW_EVERY_MS = 30 * 1000, APPROVERS_MAX = 256, MISSED_SIZE = 512 };

/* A message to one who may agree. */
struct ballot {
    struct list home;
    int64_t person;
    struct post *post;
    bool is_missed; /* they have not pressed Start: nothing reaches them */
};

struct approval {
    struct list home;
    struct hold *hold;
    struct post *asker; /* NULL: asked with pamctl */
    struct list ballots;
};

struct approvals {
    struct conversation *conversation;
    struct list list;
    struct timer *timer; /* runs while something waits */
};

static struct texts_hold words_of(const struct approvals *approvals, const struct hold_view *view)
{
    return (struct texts_hold){.view = view,
                               .people = approvals->conversation->people,
                               .longest_s = approvals->conversation->settings->max_session_time};
}

/* buffer has TEXTS_SIZE bytes. */
static struct text text_for(const struct approvals *approvals, int64_t person, char *buffer)
{
    return conversation_text(approvals->conversation, person, buffer, TEXTS_SIZE);
}

/* The person in this chat who asked; false: they are not in it. */
static bool asked_here(const struct approvals *approvals, const struct hold_view *view,
                       int64_t *ret_person)
{
    const struct owner *owner = &view->request->owner;
    *ret_person = owner->id;
    return transport_owner(approvals->conversation->transport, owner->id).kind == owner->kind;
}

/* ---- to whoever asks --------------------------------------------------------------- */

static void new_asker(struct approvals *approvals, struct approval *approval,
                      const struct hold_view *view)
{
    struct transport *transport = approvals->conversation->transport;
    const struct texts_hold hold = words_of(approvals, view);
    char buffer[TEXTS_SIZE];
    int64_t person;
    if (asked_here(approvals, view, &person)) {
        struct text html = text_for(approvals, person, buffer);
        approval->asker = transport_post(transport, person);
        texts_hold_asker_restarted(&html, &hold);
        transport_keep(transport, approval->asker, buffer);
    }
}

/* Of those who do not know that they are waited for. */
static void add_missed(const struct approvals *approvals, const struct approval *approval,
                       struct text *names)
{
    const struct conversation *conversation = approvals->conversation;
    list_each (struct ballot, ballot, &approval->ballots, home) {
        const struct owner account = transport_owner(conversation->transport, ballot->person);
        char name[PEOPLE_NAME_MAX];
        if (ballot->is_missed) {
            text_add(names, "%s", names->len > 0 ? ", " : "");
            html_add(names, people_name(conversation->people, &account, name));
        }
    }
}

static void show_asker(const struct approvals *approvals, const struct approval *approval,
                       const struct hold_view *view)
{
    struct texts_hold hold = words_of(approvals, view);
    char missed[MISSED_SIZE];
    struct text names = text_over(missed, sizeof missed);
    add_missed(approvals, approval, &names);
    hold.missed = missed;
    char buffer[TEXTS_SIZE], data[BUTTON_DATA_SIZE];
    struct text html = text_for(approvals, view->request->owner.id, buffer);
    const struct button button = {.label = text_phrase(&html, BUTTONS[BUTTON_WITHDRAW].label),
                                  .data = button_format(BUTTON_WITHDRAW, view->id, 0, data)};
    texts_hold_asker(&html, &hold);
    transport_set(approvals->conversation->transport, approval->asker, buffer, &button,
                  !hold_state_is_end(view->state));
}

/* An edit wakes nobody, and the time to connect begins: so there is a message besides. */
static void hand_over(struct approvals *approvals, struct approval *approval,
                      const struct hold_event *event)
{
    struct conversation *conversation = approvals->conversation;
    const struct texts_hold hold = words_of(approvals, event->view);
    char buffer[TEXTS_SIZE];
    int64_t person;
    if (!asked_here(approvals, event->view, &person)) {
        return;
    }
    struct text html = text_for(approvals, person, buffer);
    opening_show(conversation, event->session, person, approval->asker);
    approval->asker = NULL;
    if (event->view->approvals > 0) {
        texts_hold_granted(&html, &hold);
        transport_say(conversation->transport, person, buffer);
    }
}

/* ---- to those who may agree ---------------------------------------------------------- */

static struct ballot *find_ballot(const struct approval *approval, int64_t person)
{
    list_each (struct ballot, ballot, &approval->ballots, home) {
        if (ballot->person == person) {
            return ballot;
        }
    }
    return NULL;
}

static void add_ballot(struct approvals *approvals, struct approval *approval,
                       const struct hold_view *view, int64_t person)
{
    struct transport *transport = approvals->conversation->transport;
    const struct texts_hold hold = words_of(approvals, view);
    struct ballot *ballot = malloc(sizeof *ballot);
    char buffer[TEXTS_SIZE];
    struct text html = text_for(approvals, person, buffer);
    if (ballot) {
        *ballot = (struct ballot){.person = person, .post = transport_post(transport, person)};
        texts_hold_approver_restarted(&html, &hold);
        transport_keep(transport, ballot->post, buffer);
        list_append(&approval->ballots, &ballot->home);
    }
}

static void drop_ballot(const struct approvals *approvals, struct ballot *ballot)
{
    transport_release(approvals->conversation->transport, ballot->post);
    list_remove(&ballot->home);
    free(ballot);
}

static bool may_decide(const struct approvals *approvals, const struct hold_view *view,
                       int64_t person)
{
    const struct conversation *conversation = approvals->conversation;
    const struct owner account = transport_owner(conversation->transport, person);
    return approver_check(conversation->people, &view->request->owner, &account) == 0;
}

/* Those who may agree now. */
static void renew_ballots(struct approvals *approvals, struct approval *approval,
                          const struct hold_view *view)
{
    const struct conversation *conversation = approvals->conversation;
    const struct texts_hold hold = words_of(approvals, view);
    struct owner accounts[APPROVERS_MAX];
    unsigned count = people_in_chat(conversation->people, POLICY_APPROVER, accounts, APPROVERS_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (may_decide(approvals, view, accounts[i].id) && !find_ballot(approval, accounts[i].id)) {
            add_ballot(approvals, approval, view, accounts[i].id);
        }
    }
    list_each (struct ballot, ballot, &approval->ballots, home) {
        if (!may_decide(approvals, view, ballot->person)) {
            char buffer[TEXTS_SIZE];
            struct text html = text_for(approvals, ballot->person, buffer);
            texts_hold_not_asked(&html, &hold);
            transport_set(conversation->transport, ballot->post, buffer, NULL, 0);
            drop_ballot(approvals, ballot);
        }
    }
}

static bool has_approved(const struct approvals *approvals, const struct hold_view *view,
                         int64_t person)
{
    const struct conversation *conversation = approvals->conversation;
    const struct owner account = transport_owner(conversation->transport, person);
    for (unsigned i = 0; i < view->approvals; i++) {
        if (approver_is_same(conversation->people, &view->approved_by[i], &account)) {
            return true;
        }
    }
    return false;
}

static void show_ballot(const struct approvals *approvals, const struct ballot *ballot,
                        const struct hold_view *view)
{
    const struct texts_hold hold = words_of(approvals, view);
    char buffer[TEXTS_SIZE], approve[BUTTON_DATA_SIZE], deny[BUTTON_DATA_SIZE];
    struct text html = text_for(approvals, ballot->person, buffer);
    const struct button buttons[] = {
        {.label = text_phrase(&html, BUTTONS[BUTTON_APPROVE].label),
         .data = button_format(BUTTON_APPROVE, view->id, 0, approve)},
        {.label = text_phrase(&html, BUTTONS[BUTTON_DENY].label),
         .data = button_format(BUTTON_DENY, view->id, 0, deny)},
    };
    bool asks = view->state == HOLD_ASKING_APPROVAL &&
                !has_approved(approvals, view, ballot->person);
    texts_hold_approver(&html, &hold);
    transport_set(approvals->conversation->transport, ballot->post, buffer, buttons, asks ? 2 : 0);
}

static void show_ballots(const struct approvals *approvals, const struct approval *approval,
                         const struct hold_view *view)
{
    list_each (struct ballot, ballot, &approval->ballots, home) {
        show_ballot(approvals, ballot, view);
    }
}

/* ---- all of them ------------------------------------------------------------------------ */

/* Nobody is asked before the second factor is there. */
static void show(struct approvals *approvals, struct approval *approval,
                 const struct hold_view *view)
{
    show_asker(approvals, approval, view);
    if (view->state == HOLD_ASKING_APPROVAL || view->state == HOLD_READY) {
        renew_ballots(approvals, approval, view);
    }
    show_ballots(approvals, approval, view);
}

static void on_timer(void *arg)
{
    struct approvals *approvals = arg;
    list_each (struct approval, approval, &approvals->list, home) {
        struct hold_view view;
        hold_view(approval->hold, &view);
        show(approvals, approval, &view);
    }
    if (!list_is_empty(&approvals->list)) {
        timer_set(approvals->timer, SHOW_EVERY_MS);
    }
}

static struct approval *find(const struct approvals *approvals, const struct hold *hold)
{
    list_each (struct approval, approval, &approvals->list, home) {
        if (approval->hold == hold) {
            return approval;
        }
    }
    return NULL;
}

/* Without memory nobody is asked, and the request expires. */
static struct approval *add(struct approvals *approvals, const struct hold_event *event)
{
    struct approval *approval = calloc(1, sizeof *approval);
    if (!approval) {
        return NULL;
    }
    approval->hold = event->hold;
    list_init(&approval->ballots);
    if (list_is_empty(&approvals->list)) {
        timer_set(approvals->timer, SHOW_EVERY_MS);
    }
    list_append(&approvals->list, &approval->home);
    new_asker(approvals, approval, event->view);
    return approval;
}

static void drop(const struct approvals *approvals, struct approval *approval)
{
    transport_release(approvals->conversation->transport, approval->asker);
    list_each (struct ballot, ballot, &approval->ballots, home) {
        drop_ballot(approvals, ballot);
    }
    list_remove(&approval->home);
    free(approval);
}

static void on_hold(void *arg, const struct hold_event *event)
{
    struct approvals *approvals = arg;
    struct approval *approval = event->kind == HOLD_ASKED ? add(approvals, event)
                                                          : find(approvals, event->hold);
    bool granted = event->kind == HOLD_CHANGED && event->to == HOLD_GRANTED;
    if (granted && approval) {
        hand_over(approvals, approval, event);
    }
    if (approval && event->kind == HOLD_GIVEN) { /* what that leads to may be told next */
        timer_set(approvals->timer, 0);
    } else if (approval) {
        show(approvals, approval, event->view);
    }
    if (approval && hold_state_is_end(event->view->state)) {
        drop(approvals, approval);
    }
}

/* ---- buttons ---------------------------------------------------------------------------- */

/* What comes of it; who tried what is not theirs is remembered. */
static enum answer answer_of(int err, enum answer done, const struct conversation *conversation,
                             const struct incoming *incoming)
{
    if (err == 0 || err == -EAGAIN) {
        return err == 0 ? done : ANSWER_FACTOR_FIRST;
    }
    conversation_refuse(conversation, incoming->person, incoming->data);
    return err == -EPERM ? ANSWER_OWN_REQUEST : ANSWER_NO_APPROVER;
}

enum answer approvals_button_approve(struct conversation *conversation,
                                     const struct incoming *incoming,
                                     const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    struct hold_view view;
    hold_view(press->hold, &view);
    int err = holds_approve(conversation->holds, press->hold, &by);
    if (err == -EALREADY) {
        return view.state == HOLD_ASKING_APPROVAL ? ANSWER_APPROVED_ALREADY
                                                  : ANSWER_ENOUGH_APPROVED;
    }
    return answer_of(err, ANSWER_APPROVED, conversation, incoming);
}

enum answer approvals_button_deny(struct conversation *conversation,
                                  const struct incoming *incoming, const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    int err = holds_deny(conversation->holds, press->hold, &by);
    return answer_of(err, ANSWER_DENIED, conversation, incoming);
}

enum answer approvals_button_withdraw(struct conversation *conversation,
                                      const struct incoming *incoming,
                                      const struct button_press *press)
{
    const struct owner by = transport_owner(conversation->transport, incoming->person);
    holds_withdraw(conversation->holds, press->hold, &by);
    return ANSWER_WITHDRAWN;
}

/* ---- who cannot be asked ------------------------------------------------------------------ */

/* Nothing is said before the timer: this comes from inside of what delivers. */
void approvals_miss(struct approvals *approvals, int64_t person)
{
    list_each (struct approval, approval, &approvals->list, home) {
        struct ballot *ballot = find_ballot(approval, person);
        if (ballot && !ballot->is_missed) {
            ballot->is_missed = true;
            timer_set(approvals->timer, 0);
        }
    }
}

/* The message that did not reach them is lost: there is another one. */
void approvals_ask(struct approvals *approvals, int64_t person)
{
    list_each (struct approval, approval, &approvals->list, home) {
        struct ballot *ballot = find_ballot(approval, person);
        if (ballot && ballot->is_missed) {
            drop_ballot(approvals, ballot);
            timer_set(approvals->timer, 0);
        }
    }
}

/* ---- life ------------------------------------------------------------------------------- */

struct approvals *approvals_new(struct conversation *conversation)
{
    struct approvals *approvals = calloc(1, sizeof *approvals);
    if (!approvals) {
        return NULL;
    }
    approvals->conversation = conversation;
    list_init(&approvals->list);
    approvals->timer = timer_new(conversation->loop, on_timer, approvals);
    if (!approvals->timer ||
        holds_watch(conversation->holds,
                    (struct hold_watcher){.event = on_hold, .arg = approvals}) < 0) {
        timer_free(approvals->timer);
        free(approvals);
        return NULL;
    }
    return approvals;
}

void approvals_free(struct approvals *approvals)
{
    if (!approvals) {
        return;
    }
    holds_unwatch(approvals->conversation->holds, approvals);
    list_each (struct approval, approval, &approvals->list, home) {
        drop(approvals, approval);
    }
    timer_free(approvals->timer);
    free(approvals);
}
