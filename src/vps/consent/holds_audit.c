/*
 * That it was asked for is recorded by the sessions, and so is that it was opened, under the same
 * id; here is what happened in between. No state.
 */
#include "vps/consent/holds_audit.h"

static const char *name_of(const struct people *people, const struct owner *account)
{
    const struct policy_user *user = account ? people_user(people, account) : NULL;
    return user ? user->name : NULL;
}

static struct audit_entry entry_of(enum audit_event what, const struct people *people,
                                   const struct hold_event *event)
{
    const struct session_request *request = event->view->request;
    return (struct audit_entry){.what = what,
                                .owner = &request->owner,
                                .name = name_of(people, &request->owner),
                                .by = event->by,
                                .by_name = name_of(people, event->by),
                                .session = event->view->id,
                                .kind = kind_name(request->kind),
                                .gateway = request->target.gateway,
                                .user = request->target.user,
                                .host = request->target.host,
                                .port = request->target.port,
                                .target_name = request->name,
                                .rule = request->rule_line};
}

static void record(struct audit *audit, const struct audit_entry *entry)
{
    audit_record(audit, entry, NULL, NULL);
}

static void on_asked(struct audit *audit, const struct people *people,
                     const struct hold_event *event)
{
    struct audit_entry entry = entry_of(AUDIT_APPROVAL_ASKED, people, event);
    entry.text = event->view->request->reason;
    entry.count = event->view->request->needed.approvals;
    record(audit, &entry);
}

static void on_factor_asked(struct audit *audit, const struct people *people,
                            const struct hold_event *event)
{
    const struct audit_entry entry = entry_of(AUDIT_FACTOR_ASKED, people, event);
    record(audit, &entry);
}

static void on_given(struct audit *audit, const struct people *people,
                     const struct hold_event *event)
{
    struct audit_entry entry = entry_of(AUDIT_APPROVAL_GIVEN, people, event);
    entry.count = event->view->approvals;
    record(audit, &entry);
}

static void on_end(struct audit *audit, const struct people *people, enum audit_event what,
                   const struct hold_event *event)
{
    struct audit_entry entry = entry_of(what, people, event);
    entry.why = event->view->reason;
    entry.count = event->view->approvals;
    if (event->to == HOLD_EXPIRED && event->from == HOLD_ASKING_FACTOR) {
        entry.what = AUDIT_SESSION_REFUSED;
        entry.why = "The second factor did not come in time.";
    }
    record(audit, &entry);
}

static void on_changed(struct audit *audit, const struct people *people,
                       const struct hold_event *event)
{
    switch (event->to) {
    case HOLD_ASKING_APPROVAL:
        on_asked(audit, people, event);
        break;
    case HOLD_DENIED:
        on_end(audit, people, AUDIT_APPROVAL_REFUSED, event);
        break;
    case HOLD_EXPIRED:
        on_end(audit, people, AUDIT_APPROVAL_EXPIRED, event);
        break;
    case HOLD_WITHDRAWN:
        on_end(audit, people, AUDIT_APPROVAL_WITHDRAWN, event);
        break;
    case HOLD_ASKING_FACTOR: /* what comes of it is recorded by vps/factor */
        on_factor_asked(audit, people, event);
        break;
    case HOLD_READY:
    case HOLD_GRANTED: /* the sessions record what comes of these */
    case HOLD_REFUSED:
        break;
    }
}

void holds_audit(struct audit *audit, const struct people *people, const struct hold_event *event)
{
    if (event->kind == HOLD_ASKED && event->view->state == HOLD_ASKING_APPROVAL) {
        on_asked(audit, people, event);
    } else if (event->kind == HOLD_ASKED) {
        on_factor_asked(audit, people, event);
    } else if (event->kind == HOLD_GIVEN && event->by) {
        on_given(audit, people, event);
    } else if (event->kind == HOLD_CHANGED) {
        on_changed(audit, people, event);
    }
}
