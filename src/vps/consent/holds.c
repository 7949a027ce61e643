/*
 * A request on hold moves in advance() alone: after a consent, when the settings are others, when
 * its gateway comes back. There it is asked afresh what would come of it (sessions_ask()), with the
 * consents that it has by now; so whatever changed meanwhile counts, and there is one place that
 * decides. That place compares, too, what was asked for and what would be opened: those who agreed
 * saw the machine that the name stood for then.
 *
 * Re-entrancy: everything happens on the loop's thread. Watchers call none of the verbs, so that
 * what is told needs no queue. holds_finish() frees the request: nobody touches it after advance(),
 * and loops over all of them know the next one before they act on one. Opening a session tells the
 * sessions' watchers, this file's on_session() among them: it only acts on what no opening causes.
 */
#include "vps/consent/holds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "vps/consent/approver.h"
#include "vps/consent/holds_audit.h"
#include "vps/consent/holds_core.h"

/* ---- telling ---------------------------------------------------------------- */

int holds_watch(struct holds *holds, struct hold_watcher watcher)
{
    if (holds->watcher_count == HOLD_WATCHERS_MAX) {
        return -ENOSPC;
    }
    holds->watchers[holds->watcher_count++] = watcher;
    return 0;
}

void holds_unwatch(struct holds *holds, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < holds->watcher_count; i++) {
        if (holds->watchers[i].arg != arg) {
            holds->watchers[kept++] = holds->watchers[i];
        }
    }
    holds->watcher_count = kept;
}

void holds_tell(struct holds *holds, struct hold *hold, struct hold_event event)
{
    struct hold_view view;
    hold_view(hold, &view);
    event.hold = hold;
    event.view = &view;
    holds_audit(holds->options.audit, holds->options.people, &event);
    for (unsigned i = 0; i < holds->watcher_count; i++) {
        holds->watchers[i].event(holds->watchers[i].arg, &event);
    }
}

/* ---- states ----------------------------------------------------------------- */

void holds_set_timer(struct holds *holds)
{
    uint64_t first_ms = UINT64_MAX, now_ms = clock_ms();
    for (struct hold *hold = holds_next(holds, NULL); hold; hold = holds_next(holds, hold)) {
        first_ms = hold_expires_ms(hold) < first_ms ? hold_expires_ms(hold) : first_ms;
    }
    if (first_ms == UINT64_MAX) {
        timer_stop(holds->timer);
    } else {
        timer_set(holds->timer, first_ms > now_ms ? first_ms - now_ms : 0);
    }
}

static void move(struct holds *holds, struct hold *hold, enum hold_state to)
{
    enum hold_state from = hold_state(hold);
    if (from != to) {
        hold_move(hold, to, NULL, NULL, holds->options.log);
        holds_tell(holds, hold, (struct hold_event){.kind = HOLD_CHANGED, .from = from, .to = to});
    }
}

static void remember(struct holds *holds, const struct hold *hold, enum hold_state state)
{
    struct hold_view view;
    unsigned at = holds->next_fate++ % FATES_MAX;
    hold_view(hold, &view);
    strcpy(holds->fates[at].id, view.id);
    holds->fates[at].state = state;
}

void holds_finish(struct holds *holds, struct hold *hold, const struct hold_end *end)
{
    enum hold_state from = hold_state(hold);
    list_remove(hold_home(hold)); /* whoever looks meanwhile does not find it */
    holds->count--;
    remember(holds, hold, end->state);
    hold_move(hold, end->state, end->by, end->reason, holds->options.log);
    holds_tell(holds, hold,
               (struct hold_event){.kind = HOLD_CHANGED,
                                   .from = from,
                                   .to = end->state,
                                   .by = end->by,
                                   .session = end->session});
    hold_free(hold);
    holds_set_timer(holds);
}

static void finish_for(struct holds *holds, struct hold *hold, enum hold_state state,
                       const char *reason)
{
    holds_finish(holds, hold, &(struct hold_end){.state = state, .reason = reason});
}

static void on_timer(void *arg)
{
    struct holds *holds = arg;
    uint64_t now_ms = clock_ms();
    struct hold *hold = holds_next(holds, NULL), *next;
    for (; hold; hold = next) {
        next = holds_next(holds, hold);
        if (hold_expires_ms(hold) <= now_ms) {
            finish_for(holds, hold, HOLD_EXPIRED, NULL);
        }
    }
    holds_set_timer(holds);
}

/* ---- moving on --------------------------------------------------------------- */

static void grant(struct holds *holds, struct hold *hold, const struct session_request *request)
{
    struct session_request wanted = *request;
    struct session *session;
    struct why why = {""};
    wanted.again = true;
    int err = sessions_open(holds->options.sessions, &wanted, &session, &why);
    if (err < 0) {
        finish_for(holds, hold, HOLD_REFUSED, why.text);
    } else {
        holds_finish(holds, hold, &(struct hold_end){.state = HOLD_GRANTED, .session = session});
    }
}

/* What it still lacks is asked for, if there is anybody left to ask. */
static void ask(struct holds *holds, struct hold *hold)
{
    struct hold_view view;
    hold_view(hold, &view);
    const struct consents *needed = &view.request->needed;
    if (needed->second_factor && !view.request->given.second_factor) {
        move(holds, hold, HOLD_ASKING_FACTOR);
    } else if (approvers_count(holds->options.people, hold_owner(hold)) < needed->approvals) {
        finish_for(holds, hold, HOLD_WITHDRAWN, "Not enough people are left who could approve it.");
    } else {
        move(holds, hold, HOLD_ASKING_APPROVAL);
    }
}

/* The sessions do not know that it was more than a question. */
static void refuse(struct holds *holds, struct hold *hold, const struct session_request *request,
                   int err, const char *reason)
{
    sessions_refuse(holds->options.sessions, request, err, reason);
    finish_for(holds, hold, HOLD_REFUSED, reason);
}

/* It cannot be opened now. Is that for good? */
static void put_off(struct holds *holds, struct hold *hold, const struct session_request *request,
                    int err, const char *reason)
{
    bool complete = hold_is_complete(hold);
    bool is_allowed = err != -EACCES && err != -EINVAL; /* by a rule, and it is the same machine */
    bool is_away = err == -ENOTCONN || err == -ENOENT;
    if (!is_allowed || (complete && !is_away)) {
        refuse(holds, hold, request, err, reason);
    } else if (complete) {
        move(holds, hold, HOLD_READY);
    } /* else there is time */
}

/* As far as it gets. */
static void advance(struct holds *holds, struct hold *hold)
{
    struct why why = {""};
    hold_recount(hold, holds->options.people);
    const struct session_request typed = hold_request(hold);
    struct session_request resolved = typed;
    int err = sessions_ask(holds->options.sessions, &resolved, &why);
    if (err < 0 && err != -ENOKEY) {
        put_off(holds, hold, &resolved, err, why.text);
    } else if (!hold_is_for(hold, &resolved)) {
        finish_for(holds, hold, HOLD_WITHDRAWN,
                   "That name stands for another machine now. It has to be asked for again.");
    } else if (err == -ENOKEY) {
        hold_renew(hold, &resolved);
        ask(holds, hold);
    } else {
        hold_renew(hold, &resolved);
        grant(holds, hold, &typed);
    }
}

void holds_settings_changed(struct holds *holds)
{
    struct hold *hold = holds_next(holds, NULL), *next;
    for (; hold; hold = next) {
        char id[SESSION_ID_SIZE + 1];
        struct hold_view view;
        next = holds_next(holds, hold);
        hold_view(hold, &view);
        strcpy(id, view.id);
        advance(holds, hold);
        if (holds_find(holds, id)) {
            holds_tell(holds, hold, (struct hold_event){.kind = HOLD_RENEWED});
        }
    }
}

static void withdraw_all(struct holds *holds, const char *reason)
{
    struct hold *hold;
    while ((hold = holds_next(holds, NULL))) {
        finish_for(holds, hold, HOLD_WITHDRAWN, reason);
    }
}

void holds_end_all(struct holds *holds)
{
    withdraw_all(holds, "The server is being stopped. It can be asked for again in a moment.");
}

static void try_ready(struct holds *holds)
{
    struct hold *hold = holds_next(holds, NULL), *next;
    for (; hold; hold = next) {
        next = holds_next(holds, hold);
        if (hold_state(hold) == HOLD_READY) {
            advance(holds, hold);
        }
    }
}

static void on_session(void *arg, const struct session_event *event)
{
    struct holds *holds = arg;
    if (event->kind == SESSION_GATEWAY_CAME) {
        try_ready(holds);
    } else if (event->kind == SESSION_SERVER_LOCKED) {
        withdraw_all(holds, "The server was locked by an administrator.");
    }
}

/* ---- deciding ---------------------------------------------------------------- */

static bool waits_for_factor_of(const struct hold *hold, const struct owner *owner)
{
    return hold_state(hold) == HOLD_ASKING_FACTOR && owner_equal(hold_owner(hold), owner);
}

static const struct hold *last_waiting(struct holds *holds, const struct owner *owner)
{
    const struct hold *last = NULL;
    for (struct hold *hold = holds_next(holds, NULL); hold; hold = holds_next(holds, hold)) {
        last = waits_for_factor_of(hold, owner) ? hold : last;
    }
    return last;
}

/* An account, and not its person: whoever has stolen the one waits until the other one is used. */
unsigned holds_take_factor(struct holds *holds, const struct owner *owner)
{
    unsigned count = 0;
    bool one = holds->options.settings->factor_minutes == 0;
    const struct hold *last = last_waiting(holds, owner);
    struct hold *hold = holds_next(holds, NULL), *next;
    for (; hold; hold = next) {
        next = holds_next(holds, hold);
        if (waits_for_factor_of(hold, owner) && (!one || hold == last)) {
            hold_give_factor(hold);
            holds_tell(holds, hold, (struct hold_event){.kind = HOLD_GIVEN});
            advance(holds, hold);
            count++;
        }
    }
    return count;
}

int holds_approve(struct holds *holds, struct hold *hold, const struct owner *by)
{
    int err = approver_check(holds->options.people, hold_owner(hold), by);
    if (err < 0) {
        return err;
    }
    if (hold_state(hold) != HOLD_ASKING_APPROVAL) {
        return hold_state(hold) == HOLD_ASKING_FACTOR ? -EAGAIN : -EALREADY;
    }
    err = hold_approve(hold, by, holds->options.people);
    if (err < 0) {
        return err;
    }
    struct hold_view view;
    char person[OWNER_TEXT_MAX];
    hold_view(hold, &view);
    log_info(holds->options.log, "request %s: approved by %s, %u of %u", view.id,
             owner_text(by, person), view.approvals, view.request->needed.approvals);
    holds_tell(holds, hold, (struct hold_event){.kind = HOLD_GIVEN, .by = by});
    advance(holds, hold);
    return 0;
}

int holds_deny(struct holds *holds, struct hold *hold, const struct owner *by)
{
    int err = approver_check(holds->options.people, hold_owner(hold), by);
    if (err < 0 && err != -ENOENT) {
        return err;
    }
    holds_finish(holds, hold, &(struct hold_end){.state = HOLD_DENIED, .by = by});
    return 0;
}

void holds_withdraw(struct holds *holds, struct hold *hold, const struct owner *by)
{
    holds_finish(holds, hold, &(struct hold_end){.state = HOLD_WITHDRAWN, .by = by});
}

/* ---- looking ----------------------------------------------------------------- */

struct hold *holds_next(struct holds *holds, struct hold *after)
{
    struct list *at = after ? hold_home(after)->next : holds->list.next;
    return at == &holds->list ? NULL : hold_of(at);
}

struct hold *holds_find(struct holds *holds, const char *id)
{
    struct hold *hold = NULL;
    while ((hold = holds_next(holds, hold))) {
        struct hold_view view;
        hold_view(hold, &view);
        if (strcmp(view.id, id) == 0) {
            break;
        }
    }
    return hold;
}

bool holds_fate(const struct holds *holds, const char *id, enum hold_state *ret_state)
{
    for (unsigned i = 0; i < FATES_MAX; i++) {
        if (id[0] && strcmp(holds->fates[i].id, id) == 0) {
            *ret_state = holds->fates[i].state;
            return true;
        }
    }
    return false;
}

/* ---- life -------------------------------------------------------------------- */

int holds_new(const struct holds_options *options, struct holds **ret_holds)
{
    struct holds *holds = calloc(1, sizeof *holds);
    if (!holds) {
        return -ENOMEM;
    }
    holds->options = *options;
    list_init(&holds->list);
    holds->timer = timer_new(options->loop, on_timer, holds);
    int err = holds->timer
                  ? sessions_watch(options->sessions,
                                   (struct session_watcher){.event = on_session, .arg = holds})
                  : -ENOMEM;
    if (err < 0) {
        holds_free(holds);
        return err;
    }
    *ret_holds = holds;
    return 0;
}

void holds_free(struct holds *holds)
{
    struct hold *hold;
    if (!holds) {
        return;
    }
    sessions_unwatch(holds->options.sessions, holds);
    while ((hold = holds_next(holds, NULL))) {
        hold_free(hold);
    }
    timer_free(holds->timer);
    free(holds);
}
