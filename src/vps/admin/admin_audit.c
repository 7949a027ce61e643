/*
 * A page at a time: whoever reads slowly asks slowly, and nothing is kept for them in between. One
 * who follows is answered when there is something new; until then the agent looks at the number of
 * the newest record now and then, and asks the file only if that has moved on.
 *
 * An inquiry lives from the request to its answer, or until its client has left. Its callbacks come
 * from the loop, and none of them frees it but its end.
 */
#include "vps/admin/admin_audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/timer.h"
#include "vps/admin/admin_reply.h"
#include "vps/admin/later.h"
#include "vps/audit/audit_question.h"
#include "vps/people/members.h"

enum { LOOK_MS = 500, WORD_MAX = 256 };

struct inquiry {
    struct audit *audit;
    struct later *later;
    struct timer *timer;
    struct audit_question question;
    struct owner accounts[AUDIT_ACCOUNTS_MAX];
    char texts[4][WORD_MAX]; /* targets, gateway and name */
    char events[AUDIT_EVENTS_MAX][32];
    json_t *records;
    bool is_known; /* who is asked for, at the moment */
    bool follows;
    int64_t seen_seq; /* the newest record when the file was asked */
    uint64_t until_ms;
};

static void inquiry_free(struct inquiry *inquiry)
{
    audit_detach(inquiry->audit, inquiry);
    timer_free(inquiry->timer);
    json_decref(inquiry->records);
    free(inquiry);
}

static void on_gone(void *arg)
{
    inquiry_free(arg);
}

static void answer(struct inquiry *inquiry, json_t *reply)
{
    struct later *later = inquiry->later;
    inquiry_free(inquiry);
    later_say_at_once(later, reply);
}

/* ---- the answer ------------------------------------------------------------ */

/* What is no UTF-8 was not written by us. */
static void set_text(json_t *object, const char *key, const char *text)
{
    json_t *value = text[0] ? json_string(text) : NULL;
    if (text[0]) {
        json_object_set_new(object, key, value ? value : json_string("?"));
    }
}

static void on_record(void *arg, const struct audit_record_view *view)
{
    struct inquiry *inquiry = arg;
    const struct audit_event_row *event = audit_event_find(view->what);
    char hash[2 * CRYPTO_HASH_SIZE + 1] = "";
    json_t *record = json_pack("{s:I, s:I}", "seq", (json_int_t)view->seq, "at_ms",
                               (json_int_t)view->at_ms);
    set_text(record, "what", view->what);
    if (event) {
        json_object_set_new(record, "severity", json_integer(event->severity));
        set_text(record, "message", event->sentence);
    }
    set_text(record, "person", view->person);
    set_text(record, "target", view->target);
    set_text(record, "gateway", view->gateway);
    set_text(record, "session", view->session);
    set_text(record, "body", view->body);
    if (view->hash) {
        crypto_hex(view->hash, CRYPTO_HASH_SIZE, hash);
    }
    set_text(record, "hash", hash);
    json_array_append_new(inquiry->records, record);
    inquiry->question.after_ms = view->at_ms;
    inquiry->question.after_seq = view->seq;
}

static json_t *page_of(struct inquiry *inquiry, bool more)
{
    const struct audit_question *question = &inquiry->question;
    return json_pack("{s:b, s:O, s:b, s:I, s:I}", "ok", 1, "records", inquiry->records, "more",
                     more, "after_ms", (json_int_t)question->after_ms, "after_seq",
                     (json_int_t)question->after_seq);
}

/* Rather a mistake in writing than somebody who has done nothing. */
static bool is_nobody(const struct inquiry *inquiry)
{
    const struct audit_question *question = &inquiry->question;
    return question->name && question->account_count == 0 && question->after_seq == 0 &&
           json_array_size(inquiry->records) == 0;
}

static json_t *no_such_user(const struct inquiry *inquiry)
{
    char sentence[200];
    snprintf(sentence, sizeof sentence,
             inquiry->is_known
                 ? "%.40s has no account at the moment, and nothing was recorded under that name "
                   "in this time; see pamctl user list."
                 : "Nobody is called %.40s in the policy, or was when something was recorded in "
                   "this time; an account is telegram:NUMBER or uid:NUMBER.",
             inquiry->question.name);
    return reply_error("invalid", sentence);
}

static void on_done(void *arg, int err, bool more)
{
    struct inquiry *inquiry = arg;
    if (err == 0 && is_nobody(inquiry)) {
        answer(inquiry, no_such_user(inquiry));
    } else if (err < 0) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "The audit cannot be read: %s.", strerror(-err));
        answer(inquiry, reply_error("no_audit", sentence));
    } else if (inquiry->follows && json_array_size(inquiry->records) == 0) {
        timer_set(inquiry->timer, LOOK_MS);
    } else {
        answer(inquiry, page_of(inquiry, more));
    }
}

static const struct audit_answer ANSWER = {.record = on_record, .done = on_done};

static int ask(struct inquiry *inquiry)
{
    inquiry->seen_seq = audit_head(inquiry->audit).seq;
    return audit_ask(inquiry->audit, &inquiry->question, &ANSWER, inquiry);
}

/* Of a file that was begun anew: all of it is new to who followed the old one. */
static void follow_anew(struct inquiry *inquiry)
{
    int64_t head = audit_head(inquiry->audit).seq;
    if (head > 0 && head < inquiry->question.after_seq) {
        inquiry->question.after_seq = 0;
    }
}

static void on_look(void *arg)
{
    struct inquiry *inquiry = arg;
    follow_anew(inquiry);
    if (clock_ms() >= inquiry->until_ms) {
        answer(inquiry, page_of(inquiry, false));
    } else if (audit_head(inquiry->audit).seq == inquiry->seen_seq || ask(inquiry) < 0) {
        timer_set(inquiry->timer, LOOK_MS);
    }
}

/* ---- the question ---------------------------------------------------------- */

/* Also those that were bound to the name by an invitation, with a policy or without. */
static unsigned accounts_named(const struct admin_options *options, const char *name,
                               struct owner ret_accounts[AUDIT_ACCOUNTS_MAX], bool *ret_known)
{
    const struct policy *policy = options->settings->policy_file.policy;
    const struct policy_user *user = policy ? policy_user_named(policy, name) : NULL;
    unsigned count = user ? user->account_count : 0;
    if (user) {
        memcpy(ret_accounts, user->accounts, count * sizeof *user->accounts);
    }
    const struct member *member;
    for (unsigned i = 0; (member = people_member(options->people, i)); i++) {
        if (strcasecmp(member->name, name) == 0 && count < AUDIT_ACCOUNTS_MAX) {
            ret_accounts[count++] = member->account;
        }
    }
    *ret_known = user || count > 0;
    return count;
}

static const char *keep(struct inquiry *inquiry, unsigned at, const char *text, size_t len)
{
    snprintf(inquiry->texts[at], sizeof inquiry->texts[at], "%.*s", (int)len, text);
    return inquiry->texts[at];
}

/*
 * "alice" with all of her accounts, and what was recorded under her name, whoever's account that
 * was; "telegram:42", or 42 alone.
 */
static void read_user(struct inquiry *inquiry, const struct admin_options *options,
                      const char *user)
{
    char person[OWNER_TEXT_MAX];
    unsigned count = accounts_named(options, user, inquiry->accounts, &inquiry->is_known);
    snprintf(person, sizeof person, "telegram:%.20s", user);
    if (!inquiry->is_known && (owner_parse(user, &inquiry->accounts[0]) == 0 ||
                               owner_parse(person, &inquiry->accounts[0]) == 0)) {
        inquiry->is_known = true;
        count = 1;
    } else {
        inquiry->question.name = keep(inquiry, 3, user, strlen(user));
    }
    inquiry->question.accounts = inquiry->accounts;
    inquiry->question.account_count = count;
}

/* [GATEWAY/]HOST[:PORT]; a name of the policy is under its address, and as it was typed. */
static void read_target(struct inquiry *inquiry, const struct vps_settings *settings,
                        const char *target)
{
    const struct policy *policy = settings->policy_file.policy;
    const struct policy_target *named = policy ? policy_target_named(policy, target) : NULL;
    const char *slash = strchr(target, '/');
    const char *host = slash ? slash + 1 : target;
    if (slash) {
        inquiry->question.gateway = keep(inquiry, 2, target, (size_t)(slash - target));
    }
    inquiry->question.targets[0] = keep(inquiry, 0, host, strlen(host));
    if (named) {
        inquiry->question.targets[1] = keep(inquiry, 1, named->address, strlen(named->address));
    }
}

static void read_events(struct inquiry *inquiry, const json_t *events)
{
    size_t index;
    json_t *event;
    json_array_foreach(events, index, event)
    {
        const char *word = json_string_value(event);
        if (word && index < AUDIT_EVENTS_MAX) {
            snprintf(inquiry->events[index], sizeof inquiry->events[index], "%s", word);
            inquiry->question.events[index] = inquiry->events[index];
        }
    }
}

static int64_t number_of(const json_t *request, const char *key)
{
    return json_integer_value(json_object_get(request, key));
}

static void read_question(struct inquiry *inquiry, const struct admin_options *options,
                          const json_t *request)
{
    const char *user = admin_text(request, "user"), *gateway = admin_text(request, "gateway");
    if (user[0]) {
        read_user(inquiry, options, user);
    }
    if (admin_text(request, "target")[0]) {
        read_target(inquiry, options->settings, admin_text(request, "target"));
    }
    if (gateway[0]) {
        inquiry->question.gateway = keep(inquiry, 2, gateway, strlen(gateway));
    }
    read_events(inquiry, json_object_get(request, "events"));
    inquiry->question.since_ms = number_of(request, "since_ms");
    inquiry->question.until_ms = number_of(request, "until_ms");
    inquiry->question.after_ms = number_of(request, "after_ms");
    inquiry->question.after_seq = number_of(request, "after_seq");
    inquiry->follows = inquiry->question.newer = json_is_true(json_object_get(request, "follow"));
    /* Nothing that was there before. */
    if (inquiry->follows && !json_object_get(request, "after_seq")) {
        inquiry->question.after_seq = audit_head(inquiry->audit).seq;
    }
}

/* ---- the command ----------------------------------------------------------- */

static struct inquiry *inquiry_new(const struct admin_options *options)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    if (!inquiry) {
        return NULL;
    }
    inquiry->audit = options->audit;
    inquiry->until_ms = clock_ms() + ADMIN_FOLLOW_MS;
    inquiry->records = json_array();
    inquiry->timer = timer_new(options->loop, on_look, inquiry);
    if (!inquiry->records || !inquiry->timer) {
        inquiry_free(inquiry);
        return NULL;
    }
    return inquiry;
}

json_t *admin_audit(struct admin_call *call, const json_t *request)
{
    struct inquiry *inquiry = inquiry_new(call->options);
    int err = -ENOMEM;
    if (inquiry) {
        read_question(inquiry, call->options, request);
        err = ask(inquiry);
    }
    if (err == 0) {
        inquiry->later = admin_later(call, on_gone, inquiry);
        err = inquiry->later ? 0 : -ENOMEM;
    }
    if (err < 0 && inquiry) {
        inquiry_free(inquiry);
    }
    return err < 0 ? reply_error("no_audit", "The audit cannot be read now. Try again in a moment.")
                   : NULL;
}
