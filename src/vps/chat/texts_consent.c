/*
 * Whoever is to approve something reads here who wants what, where that really leads, for how long,
 * and why. The reason is the asker's own words, so it is set as code, as all that others claim; the
 * names of people are the policy's.
 *
 * A phrase is a whole sentence, since other languages have another order; what goes into it is
 * written first, each into a buffer of its own (struct parts).
 */
#include "vps/chat/texts_consent.h"

#include <string.h>
#include <strings.h>

#include "vps/chat/language.h"
#include "vps/transport/html.h"

/* ---- parts --------------------------------------------------------------------- */

/* As HTML; whoever reads `html` reads them, too. */
struct parts {
    char title[768];      /* "<b>RDP to office-pc</b>" */
    char asker[512];      /* "<b>carl</b>" */
    char approvers[1024]; /* "anna, bert"; "" */
    char progress[1152];  /* "1 of 2 (anna)" */
    char by[512];         /* who ended it; "" */
    char gateway[128];
};

/* As its user wrote it. */
static void add_title(struct text *title, const struct hold_view *view)
{
    const struct session_request *request = view->request;
    const struct kind_row *kind = kind_row(request->kind);
    char with_port[TARGET_TEXT_MAX], target[2 * TARGET_TEXT_MAX];
    struct text text = text_over(target, sizeof target);
    bool is_name = strcasecmp(view->said, request->target.host) != 0;
    if (!is_name && request->target.port != kind->port) {
        target_format(view->said, request->target.port, with_port);
    }
    html_add(&text, is_name || request->target.port == kind->port ? view->said : with_port);
    text_add(title, "<b>%s to %s</b>", kind->label, target);
}

static void add_name(struct text *text, const struct texts_hold *hold, const struct owner *account)
{
    char name[PEOPLE_NAME_MAX];
    html_add(text, people_name(hold->people, account, name));
}

static void add_approvers(struct text *text, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    for (unsigned i = 0; i < view->approvals; i++) {
        text_add(text, "%s", i > 0 ? ", " : "");
        add_name(text, hold, &view->approved_by[i]);
    }
}

static struct parts parts_of(const struct text *html, const struct texts_hold *hold)
{
    struct parts parts;
    const struct hold_view *view = hold->view;
    unsigned needed = view->request->needed.approvals;
    struct text title = text_for_reader_of(html, parts.title, sizeof parts.title);
    struct text asker = text_for_reader_of(html, parts.asker, sizeof parts.asker);
    struct text approvers = text_for_reader_of(html, parts.approvers, sizeof parts.approvers);
    struct text progress = text_for_reader_of(html, parts.progress, sizeof parts.progress);
    struct text by = text_for_reader_of(html, parts.by, sizeof parts.by);
    struct text gateway = text_for_reader_of(html, parts.gateway, sizeof parts.gateway);
    add_title(&title, view);
    text_add(&asker, "<b>");
    add_name(&asker, hold, &view->request->owner);
    text_add(&asker, "</b>");
    add_approvers(&approvers, hold);
    if (view->approvals > 0) {
        text_add(&progress, "%u of %u (%s)", view->approvals, needed, parts.approvers);
    } else {
        text_add(&progress, "%u of %u", view->approvals, needed);
    }
    if (view->by) {
        add_name(&by, hold, view->by);
    }
    html_add(&gateway, view->request->target.gateway);
    return parts;
}

static void add_reason(struct text *html, const struct hold_view *view)
{
    char buffer[6 * REASON_MAX + sizeof "<code></code>"];
    struct text reason = text_over(buffer, sizeof buffer);
    if (view->request->reason[0]) {
        html_add_in_tag(&reason, "code", view->request->reason);
        text_add(html, "\nWhy: %s", buffer);
    } else {
        text_add(html, "\nNo reason was given.");
    }
}

/* In steps, as each of them is an edit of many messages. */
static void add_time_left(struct text *html, const struct hold_view *view)
{
    char buffer[64];
    struct text left = text_for_reader_of(html, buffer, sizeof buffer);
    unsigned seconds = view->seconds_left, step = seconds > 3600 ? 600 : 60;
    text_add_seconds(&left, (seconds + step - 1) / step * step);
    if (seconds < 60) {
        text_add(html, "\nExpires in less than a minute");
    } else {
        text_add(html, "\nExpires in %s", buffer);
    }
}

static bool needs_others(const struct hold_view *view)
{
    return view->request->needed.approvals > 0;
}

static bool lacks_factor(const struct hold_view *view)
{
    return view->request->needed.second_factor && !view->request->given.second_factor;
}

/* Why it ended, or who ended it. */
static void add_end(struct text *html, const struct hold_view *view, const struct parts *parts)
{
    if (view->reason[0]) {
        char said[512];
        text_add(html, "\n");
        html_add_sentence(html, language_sentence(html, view->reason, said, sizeof said));
    } else if (view->state == HOLD_DENIED && view->by) {
        text_add(html, "\n%s said no.", parts->by);
    } else if (view->state == HOLD_WITHDRAWN && view->by) {
        text_add(html, "\n%s withdrew it.", parts->by);
    } else if (view->state == HOLD_EXPIRED && lacks_factor(view)) {
        text_add(html, "\nThe second factor did not come in time.");
    } else if (view->state == HOLD_EXPIRED) {
        text_add(html, "\nApproved in time: %s", parts->progress);
    }
}

/* ---- to whoever asks --------------------------------------------------------------- */

void texts_hold_asker(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    const struct parts parts = parts_of(html, hold);
    switch (view->state) {
    case HOLD_ASKING_FACTOR:
        text_add(html, "🔑 %s needs a code from your authenticator app: send me the six digits.",
                 parts.title);
        break;
    case HOLD_ASKING_APPROVAL:
        text_add(html, "⏳ %s waits for approval: %s", parts.title, parts.progress);
        break;
    case HOLD_READY:
        text_add(html,
                 needs_others(view)
                     ? "⏳ %s is approved\nGateway %s is offline. It is opened when that comes back."
                     : "⏳ %s waits: gateway %s is offline. It is opened when that comes back.",
                 parts.title, parts.gateway);
        break;
    case HOLD_GRANTED:
        text_add(html, "✅ %s is approved", parts.title);
        break;
    case HOLD_DENIED:
        text_add(html, "⛔ %s was not approved", parts.title);
        break;
    case HOLD_EXPIRED:
        text_add(html, lacks_factor(view) ? "⚪ %s was not opened" : "⚪ %s was not approved in time",
                 parts.title);
        break;
    case HOLD_WITHDRAWN:
        text_add(html, "⚪ %s is not asked for any more", parts.title);
        break;
    case HOLD_REFUSED:
        text_add(html, "🔴 %s cannot be opened any more", parts.title);
        break;
    }
    if (hold_state_is_end(view->state)) {
        add_end(html, view, &parts);
    } else {
        if (needs_others(view) || view->request->reason[0]) {
            add_reason(html, view);
        }
        if (hold->missed && hold->missed[0] && view->state == HOLD_ASKING_APPROVAL) {
            text_add(html,
                     "\n⚠️ I cannot ask %s: who has never pressed Start in this bot hears "
                     "nothing from me.",
                     hold->missed);
        }
        add_time_left(html, view);
    }
}

void texts_hold_granted(struct text *html, const struct texts_hold *hold)
{
    const struct parts parts = parts_of(html, hold);
    text_add(html, "✅ %s was approved by %s. It is in the message above.", parts.title,
             parts.approvers);
}

/* ---- to those who may approve it ------------------------------------------------------ */

/* Where it really leads, and for how long. */
static void add_terms(struct text *html, const struct texts_hold *hold, const struct parts *parts)
{
    const struct session_request *request = hold->view->request;
    long longest_s = request->longest_s ? request->longest_s : hold->longest_s;
    char address[TARGET_TEXT_MAX], shown[2 * TARGET_TEXT_MAX], span[64];
    struct text target = text_over(shown, sizeof shown);
    struct text time = text_for_reader_of(html, span, sizeof span);
    target_format(request->target.host, request->target.port, address);
    html_add_in_tag(&target, "code", address);
    text_add_seconds(&time, longest_s > 0 ? (uint64_t)longest_s : 0);
    if (longest_s > 0) {
        text_add(html, "\n%s through gateway %s, for at most %s", shown, parts->gateway, span);
    } else {
        text_add(html, "\n%s through gateway %s, without a limit of time", shown, parts->gateway);
    }
}

static void add_who_and_what(struct text *html, const struct hold_view *view,
                             const struct parts *parts)
{
    switch (view->state) {
    case HOLD_ASKING_FACTOR:
    case HOLD_ASKING_APPROVAL:
        text_add(html, "🔐 %s asks for %s", parts->asker, parts->title);
        break;
    case HOLD_READY:
    case HOLD_GRANTED:
        text_add(html, "✅ %s asked for %s", parts->asker, parts->title);
        break;
    case HOLD_DENIED:
        text_add(html, "⛔ %s asked for %s", parts->asker, parts->title);
        break;
    case HOLD_EXPIRED:
    case HOLD_WITHDRAWN:
        text_add(html, "⚪ %s asked for %s", parts->asker, parts->title);
        break;
    case HOLD_REFUSED:
        text_add(html, "🔴 %s asked for %s", parts->asker, parts->title);
        break;
    }
}

void texts_hold_approver(struct text *html, const struct texts_hold *hold)
{
    const struct hold_view *view = hold->view;
    const struct parts parts = parts_of(html, hold);
    add_who_and_what(html, view, &parts);
    add_terms(html, hold, &parts);
    add_reason(html, view);
    if (view->state < HOLD_READY) {
        text_add(html, "\nApproved: %s", parts.progress);
        add_time_left(html, view);
    } else if (view->state == HOLD_READY) {
        text_add(html, "\nApproved by %s; its gateway is offline.", parts.approvers);
    } else if (view->state == HOLD_GRANTED) {
        text_add(html, "\nApproved by %s.", parts.approvers);
    } else if (view->state == HOLD_REFUSED) { /* why is for who asked */
        text_add(html, "\nIt cannot be opened any more.");
    } else {
        add_end(html, view, &parts);
    }
}

void texts_hold_not_asked(struct text *html, const struct texts_hold *hold)
{
    const struct parts parts = parts_of(html, hold);
    text_add(html, "⚪ %s asked for %s\nYou are not asked about this any more.", parts.asker,
             parts.title);
}

/* ---- after a crash -------------------------------------------------------------------- */

void texts_hold_asker_restarted(struct text *html, const struct texts_hold *hold)
{
    const struct parts parts = parts_of(html, hold);
    text_add(html,
             "⚪ %s was not approved\nThe server was restarted meanwhile. Please send the command "
             "again.",
             parts.title);
}

void texts_hold_approver_restarted(struct text *html, const struct texts_hold *hold)
{
    const struct parts parts = parts_of(html, hold);
    text_add(html,
             "⚪ %s asked for %s\nThe server was restarted before this was decided. Whoever still "
             "needs it has to ask again.",
             parts.asker, parts.title);
}
