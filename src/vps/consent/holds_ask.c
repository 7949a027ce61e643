/*
 * How a request comes to be on hold: what is missing has to be something that somebody can give,
 * and there has to be room. No state but the holds'.
 */
#include <errno.h>

#include "base/clock.h"
#include "vps/consent/approver.h"
#include "vps/consent/holds_core.h"

void holds_use_factor(struct holds *holds, struct holds_factor factor)
{
    holds->factor = factor;
}

/* 0: it is given, or not needed; -EINPROGRESS: it can be asked for. */
static int check_factor(const struct holds *holds, struct session_request *request, struct why *why)
{
    const struct holds_factor *factor = &holds->factor;
    if (!request->needed.second_factor) {
        return 0;
    }
    if (!factor->check) {
        return why_set(why, -ENOKEY, "This needs a second factor, which this server cannot take.");
    }
    int err = factor->check(factor->arg, &request->owner, why);
    request->given.second_factor = err == 0;
    return err == 0 || err == -EINPROGRESS ? err : -ENOKEY;
}

static int check_approvers(const struct holds *holds, const struct session_request *request,
                           struct why *why)
{
    unsigned needed = request->needed.approvals;
    unsigned count = approvers_count(holds->options.people, &request->owner);
    if (count >= needed) {
        return 0;
    }
    if (count == 0) {
        return why_set(why, -ENOKEY,
                       "This needs somebody's approval, and there is nobody who could give it: an "
                       "administrator has to name an approver in the policy.");
    }
    return why_set(why, -ENOKEY,
                   "This needs the approval of %u people, and there %s only %u who could give it: "
                   "an administrator has to name more approvers in the policy.",
                   needed, count == 1 ? "is" : "are", count);
}

static unsigned count_of(struct holds *holds, const struct owner *owner)
{
    unsigned count = 0;
    for (struct hold *hold = holds_next(holds, NULL); hold; hold = holds_next(holds, hold)) {
        count += approver_is_same(holds->options.people, hold_owner(hold), owner);
    }
    return count;
}

static int check_room(struct holds *holds, const struct owner *owner, struct why *why)
{
    if (count_of(holds, owner) >= HOLDS_PER_PERSON) {
        return why_set(why, -EBUSY,
                       "You are waiting for %d approvals already. Withdraw a request first, or "
                       "wait until one is decided.",
                       HOLDS_PER_PERSON);
    }
    if (holds->count >= HOLDS_MAX) {
        return why_set(why, -EBUSY,
                       "Too many requests are waiting for approval on this server. Try again "
                       "later.");
    }
    return 0;
}

static void withdraw_same(struct holds *holds, const struct session_request *resolved)
{
    struct hold *hold = holds_next(holds, NULL), *next;
    for (; hold; hold = next) {
        next = holds_next(holds, hold);
        if (hold_is_for(hold, resolved)) {
            holds_finish(holds, hold,
                         &(struct hold_end){.state = HOLD_WITHDRAWN,
                                            .by = &resolved->owner,
                                            .reason = "The same was asked for again."});
        }
    }
}

static void log_asked(const struct holds *holds, const struct hold *hold)
{
    struct hold_view view;
    char person[OWNER_TEXT_MAX], target[TARGET_TEXT_MAX], approval[32] = "";
    hold_view(hold, &view);
    const struct session_request *request = view.request;
    bool has_factor = request->needed.second_factor;
    target_format(request->target.host, request->target.port, target);
    if (request->needed.approvals > 0) {
        snprintf(approval, sizeof approval, "%sthe approval of %u", has_factor ? " and " : " ",
                 request->needed.approvals);
    }
    log_info(holds->options.log, "request %s: %s to %s through gateway %s for %s needs%s%s%s%s",
             view.id, kind_name(request->kind), target, request->target.gateway,
             owner_text(&request->owner, person), has_factor ? " a second factor" : "", approval,
             request->reason[0] ? "; why: " : "", request->reason);
}

static int add(struct holds *holds, const struct session_request *typed,
               const struct session_request *resolved, struct hold **ret_hold, struct why *why)
{
    const struct holds_options *options = &holds->options;
    uint64_t expires_ms = clock_ms() + (uint64_t)options->settings->approval_timeout * 1000;
    if (!patience_take(&holds->patience, &resolved->owner, clock_ms())) {
        return why_set(why, -EBUSY,
                       "You have asked very often in a short time. Try again in %d min.",
                       PATIENCE_EACH_MS / 60000);
    }
    withdraw_same(holds, resolved);
    int err = check_room(holds, &resolved->owner, why);
    if (err < 0) {
        return err;
    }
    struct hold *hold = hold_new(typed, resolved, expires_ms);
    if (!hold) {
        return why_set(why, -ENOMEM, "The server is out of memory or of random numbers.");
    }
    list_append(&holds->list, hold_home(hold));
    holds->count++;
    log_asked(holds, hold);
    if (resolved->given.second_factor || !resolved->needed.second_factor) {
        hold_move(hold, HOLD_ASKING_APPROVAL, NULL, NULL, options->log);
    }
    holds_set_timer(holds);
    holds_tell(holds, hold, (struct hold_event){.kind = HOLD_ASKED});
    *ret_hold = hold;
    return -EINPROGRESS;
}

/* With -ENOKEY of sessions_open(): what is missing can be asked for, or is here already. */
static int ask_for(struct holds *holds, const struct session_request *request,
                   struct session **ret_session, struct hold **ret_hold, struct why *why)
{
    struct session_request resolved = *request, typed = *request;
    int err = sessions_ask(holds->options.sessions, &resolved, why);
    if (err != -ENOKEY) {
        return err; /* cannot be: it was asked a moment ago */
    }
    int factor = check_factor(holds, &resolved, why);
    if (factor == 0 && resolved.needed.approvals == 0) {
        typed.given = resolved.given;
        typed.again = true; /* that it was asked for is told already */
        typed.again = true;
        return sessions_open(holds->options.sessions, &typed, ret_session, why);
    }
    err = factor == -EINPROGRESS ? 0 : factor;
    err = err < 0 ? err : check_approvers(holds, &resolved, why);
    err = err < 0 ? err : add(holds, &typed, &resolved, ret_hold, why);
    if (err != -EINPROGRESS) {
        sessions_refuse(holds->options.sessions, &resolved, err, why->text);
    }
    return err;
}

int holds_open(struct holds *holds, const struct session_request *request,
               struct session **ret_session, struct hold **ret_hold, struct why *why)
{
    int err = sessions_open(holds->options.sessions, request, ret_session, why);
    return err == -ENOKEY ? ask_for(holds, request, ret_session, ret_hold, why) : err;
}
