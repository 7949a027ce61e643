#include "vps/admin/admin_holds.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "vps/admin/admin_reply.h"

/* ---- a request as JSON -------------------------------------------------------- */

static json_t *names(const struct hold_view *view, const struct people *people)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < view->approvals; i++) {
        char name[PEOPLE_NAME_MAX];
        json_array_append_new(list, json_string(people_name(people, &view->approved_by[i], name)));
    }
    return list;
}

static json_t *describe(const struct hold_view *view, const struct people *people)
{
    const struct session_request *request = view->request;
    char name[PEOPLE_NAME_MAX], owner[OWNER_TEXT_MAX], target[TARGET_TEXT_MAX];
    target_format(request->target.host, request->target.port, target);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:b, s:i, s:I}", "id",
                     view->id, "state", hold_state_name(view->state), "kind",
                     kind_name(request->kind), "said", view->said, "target", target, "gateway",
                     request->target.gateway, "owner", owner_text(&request->owner, owner), "name",
                     people_name(people, &request->owner, name), "needed",
                     (int)request->needed.approvals, "approved_by", names(view, people),
                     "second_factor", (int)request->needed.second_factor, "expires_in",
                     (int)view->seconds_left, "since", (json_int_t)view->asked_unix);
}

/* What may be missing: a reason, and a longest time of its own. */
static json_t *describe_all(const struct hold_view *view, const struct people *people)
{
    json_t *reply = describe(view, people);
    const struct session_request *request = view->request;
    json_object_set_new(reply, "why",
                        request->reason[0] ? json_string(request->reason) : json_null());
    json_object_set_new(reply, "longest",
                        request->longest_s ? json_integer(request->longest_s) : json_null());
    return reply;
}

json_t *reply_hold(const struct hold_view *view, const struct people *people)
{
    return json_pack("{s:b, s:o}", "ok", 1, "request", describe_all(view, people));
}

json_t *reply_hold_ended(const struct hold_view *view, const struct people *people)
{
    char name[PEOPLE_NAME_MAX] = "", sentence[sizeof((struct why *)0)->text + PEOPLE_NAME_MAX];
    struct text text = text_over(sentence, sizeof sentence);
    const char *word = "not_opened";
    const struct consents *needed = &view->request->needed;
    if (view->by) {
        people_name(people, view->by, name);
    }
    if (view->state == HOLD_DENIED) {
        word = "denied";
        text_add(&text, "It was not approved: %s said no.", name);
    } else if (view->state == HOLD_EXPIRED) {
        word = "expired";
        if (needed->second_factor && !view->request->given.second_factor) {
            text_add(&text, "The second factor did not come in time.");
            return reply_error(word, sentence);
        }
        text_add(&text, "It was not approved in time: %u of %u.", view->approvals,
                 view->request->needed.approvals);
    } else {
        word = view->state == HOLD_WITHDRAWN ? "withdrawn" : word;
        text_add(&text, "%s", view->reason[0] ? view->reason : "It was withdrawn.");
    }
    return reply_error(word, sentence);
}

/* ---- commands ------------------------------------------------------------------ */

json_t *admin_approvals(struct admin_call *call, const json_t *request)
{
    struct holds *holds = call->options->holds;
    json_t *list = json_array();
    struct hold *hold = NULL;
    (void)request;
    while ((hold = holds_next(holds, hold))) {
        struct hold_view view;
        hold_view(hold, &view);
        json_array_append_new(list, describe_all(&view, call->options->people));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "approvals", list);
}

static json_t *not_decided(int err, uid_t uid)
{
    struct why why;
    switch (err) {
    case -EPERM:
        return reply_error("own_request",
                           "This is your own request: somebody else has to approve it.");
    case -EALREADY:
        return reply_error("already", "You have approved it already, or it needs no more.");
    case -EAGAIN:
        return reply_error("factor_first", "Its second factor is not there yet.");
    case -ENOENT:
        why_set(&why, err,
                "Nobody in the policy has uid %u, so nobody knows who approves: give the person "
                "who does that here this uid, as in `anna: {uid: %u}`. To say no, nobody needs a "
                "name.",
                (unsigned)uid, (unsigned)uid);
        return reply_error("nobody", why.text);
    default:
        return reply_error("no_approver",
                           "Only approvers can decide about this, and you are not one.");
    }
}

/* What it is after the word was given: the request may be gone by now. */
static json_t *what_became(struct admin_call *call, json_t *before)
{
    const char *id = json_string_value(json_object_get(before, "id"));
    struct hold *hold = holds_find(call->options->holds, id ? id : "");
    enum hold_state fate;
    if (hold) {
        struct hold_view view;
        hold_view(hold, &view);
        json_decref(before);
        return reply_hold(&view, call->options->people);
    }
    if (id && holds_fate(call->options->holds, id, &fate)) {
        json_object_set_new(before, "state", json_string(hold_state_name(fate)));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "request", before);
}

static json_t *decide(struct admin_call *call, const json_t *request,
                      int (*verb)(struct holds *holds, struct hold *hold, const struct owner *by))
{
    const char *id = json_string_value(json_object_get(request, "request"));
    struct hold *hold = holds_find(call->options->holds, id ? id : "");
    const struct owner by = {OWNER_LOCAL, call->uid};
    struct hold_view view;
    if (!hold) {
        return reply_error("no_such_request", "No request of that ID waits; see pamctl approvals.");
    }
    hold_view(hold, &view);
    json_t *before = describe_all(&view, call->options->people);
    int err = verb(call->options->holds, hold, &by);
    if (err < 0) {
        json_decref(before);
        return not_decided(err, call->uid);
    }
    return what_became(call, before);
}

json_t *admin_approve(struct admin_call *call, const json_t *request)
{
    return decide(call, request, holds_approve);
}

json_t *admin_deny(struct admin_call *call, const json_t *request)
{
    return decide(call, request, holds_deny);
}
