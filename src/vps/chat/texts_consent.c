/*
 * Whoever is to approve something reads here who wants what, where that really leads, for how long,
 * and why. The reason is the asker's own words, so it is set as code, as all that others claim; the
 * names of people are the policy's.
 */
#include "vps/chat/texts_consent.h"

#include <string.h>
#include <strings.h>

#include "vps/transport/html.h"

/* ---- parts --------------------------------------------------------------------- */

/* "<b>RDP to office-pc</b>": as its user wrote it. */
static void add_title(struct text *html, const struct hold_view *view)
{
    const struct session_request *request = view->request;
    const struct kind_row *kind = kind_row(request->kind);
    char with_port[TARGET_TEXT_MAX];
    bool is_name = strcasecmp(view->said, request->target.host) != 0;
    text_add(html, "<b>%s to ", kind->label);
    if (is_name || request->target.port == kind->port) {
        html_add(html, view->said);
    } else {
        target_format(view->said, request->target.port, with_port);
        html_add(html, with_port);
    }
    text_add(html, "</b>");
}

static void add_name(struct text *html, const struct texts_hold *hold, const struct owner *account)
{
    char name[PEOPLE_NAME_MAX];
    html_add(html, people_name(hold->people, account, name));
}

static void add_asker(struct text *html, const struct texts_hold *hold)
{
    text_add(html, "<b>");
    add_name(html, hold, &hold->view->request->owner);
    text_add(html, "</b>");
}

/* "anna, bert and carl" */
static void add_approvers(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    for (unsigned i = 0; i < view->approvals; i++) {
        text_add(html, "%s", i == 0 ? "" : i + 1 == view->approvals ? " and " : ", ");
        add_name(html, hold, &view->approved_by[i]);
    }
}

static void add_reason(struct text *html, const struct hold_view *view)
{
    const char *reason = view->request->reason;
    text_add(html, "\nWhy: ");
    if (reason[0]) {
        html_add_in_tag(html, "code", reason);
    } else {
        text_add(html, "not said");
    }
}

/* In steps, as each of them is an edit of many messages. */
static void add_time_left(struct text *html, const struct hold_view *view)
{
    unsigned seconds = view->seconds_left, step = seconds > 3600 ? 600 : 60;
    text_add(html, "\nExpires in ");
    if (seconds < 60) {
        text_add(html, "less than a minute");
    } else {
        text_add_seconds(html, (seconds + step - 1) / step * step);
    }
}

static void add_progress(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    text_add(html, "%u of %u", view->approvals, view->request->needed.approvals);
    if (view->approvals > 0) {
        text_add(html, ": ");
        add_approvers(html, hold);
    }
}

/* Why it ended, or who ended it. */
static void add_end(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    text_add(html, "\n");
    if (view->reason[0]) {
        html_add_sentence(html, view->reason);
    } else if (view->state == HOLD_DENIED && view->by) {
        add_name(html, hold, view->by);
        text_add(html, " said no.");
    } else if (view->state == HOLD_WITHDRAWN && view->by) {
        add_name(html, hold, view->by);
        text_add(html, " withdrew it.");
    } else if (view->state == HOLD_EXPIRED && view->request->needed.approvals > 0) {
        text_add(html, "Approved in time: ");
        add_progress(html, hold);
        text_add(html, ".");
    } else if (view->state == HOLD_EXPIRED) {
        text_add(html, "The second factor did not come in time.");
    }
}

/* ---- to whoever asks --------------------------------------------------------------- */

static void add_waiting(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    if (view->state == HOLD_ASKING_FACTOR) {
        text_add(html, " waits for your second factor");
    } else if (view->state == HOLD_ASKING_APPROVAL) {
        text_add(html, " waits for approval: ");
        add_progress(html, hold);
    } else {
        text_add(html, " is approved");
        text_add(html, "\nGateway ");
        html_add(html, view->request->target.gateway);
        text_add(html, " is offline. It is opened when that comes back.");
    }
    add_reason(html, view);
    add_time_left(html, view);
}

void texts_hold_asker(struct text *html, const struct texts_hold *hold)
{
    static const struct {
        const char *mark, *words;
    } ENDS[] = {
        [HOLD_GRANTED] = {"✅ ", " is approved"},
        [HOLD_DENIED] = {"⛔ ", " was not approved"},
        [HOLD_EXPIRED] = {"⚪ ", " was not approved in time"},
        [HOLD_WITHDRAWN] = {"⚪ ", " is not asked for any more"},
        [HOLD_REFUSED] = {"🔴 ", " was approved, but could not be opened"},
    };
    enum hold_state state = hold->view->state;
    bool ended = hold_state_is_end(state);
    text_add(html, "%s", ended ? ENDS[state].mark : "⏳ ");
    add_title(html, hold->view);
    if (ended) {
        text_add(html, "%s", ENDS[state].words);
        add_end(html, hold);
    } else {
        add_waiting(html, hold);
    }
}

void texts_hold_granted(struct text *html, const struct texts_hold *hold)
{
    text_add(html, "✅ ");
    if (hold->view->approvals > 0) {
        add_approvers(html, hold);
        text_add(html, " approved ");
        add_title(html, hold->view);
        text_add(html, ". It is in the message above.");
    }
}

/* ---- to those who may approve it ------------------------------------------------------ */

/* "carl asks for RDP to office-pc" */
static void add_who_and_what(struct text *html, const struct texts_hold *hold, const char *verb)
{
    add_asker(html, hold);
    text_add(html, " %s ", verb);
    add_title(html, hold->view);
}

/* Where it really leads, and for how long. */
static void add_terms(struct text *html, const struct texts_hold *hold)
{
    const struct session_request *request = hold->view->request;
    long longest_s = request->longest_s ? request->longest_s : hold->longest_s;
    char target[TARGET_TEXT_MAX];
    target_format(request->target.host, request->target.port, target);
    text_add(html, "\n");
    html_add_in_tag(html, "code", target);
    text_add(html, " through gateway ");
    html_add(html, request->target.gateway);
    if (longest_s > 0) {
        text_add(html, ", for at most ");
        text_add_seconds(html, (uint64_t)longest_s);
    } else {
        text_add(html, ", for as long as they like");
    }
}

void texts_hold_approver(struct text *html, const struct texts_hold *hold)
{
    static const char *const MARKS[] = {
        [HOLD_READY] = "✅ ",   [HOLD_GRANTED] = "✅ ",   [HOLD_DENIED] = "⛔ ",
        [HOLD_EXPIRED] = "⚪ ", [HOLD_WITHDRAWN] = "⚪ ", [HOLD_REFUSED] = "🔴 "};
    const struct hold_view *view = hold->view;
    bool asks = view->state < HOLD_READY;
    text_add(html, "%s", asks ? "🔐 " : MARKS[view->state]);
    add_who_and_what(html, hold, asks ? "asks for" : "asked for");
    add_terms(html, hold);
    add_reason(html, view);
    if (asks) {
        text_add(html, "\nApproved: ");
        add_progress(html, hold);
        add_time_left(html, view);
    } else if (view->state == HOLD_READY || view->state == HOLD_GRANTED) {
        text_add(html, "\nApproved by ");
        add_approvers(html, hold);
        text_add(html, view->state == HOLD_GRANTED ? "." : "; its gateway is offline.");
    } else {
        add_end(html, hold);
    }
}

void texts_hold_not_asked(struct text *html, const struct texts_hold *hold)
{
    text_add(html, "⚪ ");
    add_who_and_what(html, hold, "asked for");
    text_add(html, "\nYou are not asked about this any more.");
}

/* ---- after a crash -------------------------------------------------------------------- */

void texts_hold_asker_restarted(struct text *html, const struct texts_hold *hold)
{
    text_add(html, "⚪ ");
    add_title(html, hold->view);
    text_add(html, " was not approved\nThe server was restarted meanwhile. Please send the command "
                   "again.");
}

void texts_hold_approver_restarted(struct text *html, const struct texts_hold *hold)
{
    text_add(html, "⚪ ");
    add_who_and_what(html, hold, "asked for");
    text_add(html, "\nThe server was restarted before this was decided. Whoever still needs it has "
                   "to ask again.");
}
