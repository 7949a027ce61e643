#include "vps/session/permission.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "vps/policy/policy.h"

int permission_resolve(const struct vps_settings *settings, struct session_request *request,
                       struct why *why)
{
    const struct policy *policy = settings->policy_file.policy;
    if (!policy) {
        return 0;
    }
    const struct policy_target *named = policy_target_named(policy, request->target.host);
    int err = policy_resolve(policy, request->kind, &request->target, why);
    if (err == 0 && named) {
        snprintf(request->name, sizeof request->name, "%s", named->name);
    }
    return err;
}

/* The second factor first: it is the asker's own, and nobody is asked about who has not got it. */
static int check_consents(const struct session_request *request, struct why *why)
{
    if (request->needed.second_factor && !request->given.second_factor) {
        return why_set(why, -ENOKEY, "This needs a second factor.");
    }
    if (request->needed.approvals > request->given.approvals) {
        return why_set(why, -ENOKEY, "This needs somebody's approval.");
    }
    return 0;
}

static int refuse(const struct policy *policy, const struct policy_question *question,
                  const struct policy_answer *answer, const struct owner *owner, struct why *why)
{
    char words[sizeof why->text];
    struct text text = text_over(words, sizeof words);
    if (answer->verdict == POLICY_STRANGER && owner->kind == OWNER_LOCAL) {
        text_add(&text,
                 "Nobody in the policy has uid %" PRId64
                 ": give the person whose sessions these are to be \"uid: %" PRId64
                 "\" there, and run pamctl reload.",
                 owner->id, owner->id);
    } else {
        policy_say(policy, question, answer, &text);
    }
    return why_set(why, -EACCES, "%s", words);
}

int permission_ask(const struct vps_settings *settings, const struct people *people,
                   struct session_request *request, const char *said, struct why *why)
{
    const struct policy *policy = settings->policy_file.policy;
    request->needed = (struct consents){0};
    if (!policy) {
        return 0;
    }
    const struct policy_question question = {.user = people_user(people, &request->owner),
                                             .kind = request->kind,
                                             .target = &request->target,
                                             .said = said,
                                             .unix_s = clock_unix()};
    const struct policy_answer answer = policy_decide(policy, &question);
    request->rule_line = answer.rule ? answer.rule->line : 0;
    if (answer.verdict != POLICY_ALLOWED) {
        return refuse(policy, &question, &answer, &request->owner, why);
    }
    request->longest_s = answer.rule->longest_s;
    request->connections = answer.rule->connections;
    request->ends_with_hours = answer.rule->ends_with_hours;
    request->needed = (struct consents){.approvals = answer.rule->approvals,
                                        .second_factor = answer.rule->second_factor ||
                                                         question.user->second_factor};
    return check_consents(request, why);
}

/* About what was opened, at that time; or, whenever, of any. There is a policy. */
static struct policy_answer decide(const struct policy *policy, const struct people *people,
                                   const struct terms *terms, int64_t unix_s, bool whenever)
{
    struct target target = {.port = terms->port};
    struct text host = text_over(target.host, sizeof target.host);
    struct text gateway = text_over(target.gateway, sizeof target.gateway);
    text_add(&host, "%s", terms->host);
    text_add(&gateway, "%s", terms->gateway);
    const struct policy_question question = {.user = people_user(people, &terms->owner),
                                             .kind = terms->kind,
                                             .target = &target,
                                             .unix_s = unix_s,
                                             .whenever = whenever};
    return policy_decide(policy, &question);
}

bool permission_holds(const struct vps_settings *settings, const struct people *people,
                      const struct terms *terms)
{
    const struct policy *policy = settings->policy_file.policy;
    return !policy || decide(policy, people, terms, clock_unix(), true).verdict == POLICY_ALLOWED;
}

bool permission_is_now(const struct vps_settings *settings, const struct people *people,
                       const struct terms *terms)
{
    const struct policy *policy = settings->policy_file.policy;
    return !policy || decide(policy, people, terms, clock_unix(), false).verdict == POLICY_ALLOWED;
}

/* SESSION_END_NONE: not by the clock. */
static enum session_end end_at(const struct policy *policy, const struct people *people,
                               const struct terms *terms, int64_t unix_s)
{
    switch (decide(policy, people, terms, unix_s, false).verdict) {
    case POLICY_EXPIRED:
        return SESSION_END_EXPIRED;
    case POLICY_NOT_NOW:
        return terms->limits.ends_with_hours ? SESSION_END_HOURS : SESSION_END_NONE;
    default:
        return SESSION_END_NONE;
    }
}

/* Hours and days begin with minutes. */
struct permission_end permission_ends(const struct vps_settings *settings,
                                      const struct people *people, const struct terms *terms)
{
    const struct policy *policy = settings->policy_file.policy;
    const struct policy_user *user = policy ? people_user(people, &terms->owner) : NULL;
    int64_t now = clock_unix();
    if (!user || (!terms->limits.ends_with_hours && !user->until)) {
        return (struct permission_end){.end = SESSION_END_NONE};
    }
    for (int64_t at = now; at <= now + PERMISSION_AHEAD_S; at += 60 - at % 60) {
        enum session_end end = end_at(policy, people, terms, at);
        if (end != SESSION_END_NONE) {
            return (struct permission_end){end, (unsigned)(at - now)};
        }
    }
    return (struct permission_end){.end = SESSION_END_NONE};
}
