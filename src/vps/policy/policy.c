#include "vps/policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "base/nearest.h"

/* ---- people and targets ----------------------------------------------------- */

const struct policy_user *policy_user_of(const struct policy *policy, const struct owner *account)
{
    for (unsigned i = 0; i < policy->user_count; i++) {
        const struct policy_user *user = &policy->users[i];
        for (unsigned j = 0; j < user->account_count; j++) {
            if (owner_equal(&user->accounts[j], account)) {
                return user;
            }
        }
    }
    return NULL;
}

const struct policy_user *policy_user_named(const struct policy *policy, const char *name)
{
    for (unsigned i = 0; i < policy->user_count; i++) {
        if (strcmp(policy->users[i].name, name) == 0) {
            return &policy->users[i];
        }
    }
    return NULL;
}

const struct policy_target *policy_target_named(const struct policy *policy, const char *name)
{
    for (unsigned i = 0; i < policy->target_count; i++) {
        if (strcasecmp(policy->targets[i].name, name) == 0) {
            return &policy->targets[i];
        }
    }
    return NULL;
}

/* Two spellings of one host. */
static bool is_same_host(const char *a, const char *b)
{
    struct addr first, second;
    if (addr_parse(a, 0, &first) == 0 && addr_parse(b, 0, &second) == 0) {
        return addr_same_host(&first, &second);
    }
    return strcasecmp(a, b) == 0;
}

static bool may_be_behind(const char *said, const char *gateway)
{
    return !said[0] || !gateway[0] || gateway_name_equal(said, gateway);
}

const struct policy_target *policy_target_of(const struct policy *policy, const char *gateway,
                                             const char *host)
{
    for (unsigned i = 0; i < policy->target_count; i++) {
        const struct policy_target *at = &policy->targets[i];
        if (is_same_host(at->address, host) && may_be_behind(gateway, at->gateway)) {
            return at;
        }
    }
    return NULL;
}

/* Who knows a target's address gets no other rules than those for its name. */
static const struct policy_target *target_at(const struct policy *policy, enum kind kind,
                                             const struct target *target)
{
    for (unsigned i = 0; i < policy->target_count; i++) {
        const struct policy_target *at = &policy->targets[i];
        if (at->ports[kind] != 0 && at->ports[kind] == target->port &&
            is_same_host(at->address, target->host) &&
            may_be_behind(target->gateway, at->gateway)) {
            return at;
        }
    }
    return NULL;
}

const uint8_t *policy_shown(const struct policy *policy, enum kind kind, const char *gateway,
                            const char *host, uint16_t port)
{
    for (unsigned i = 0; i < policy->target_count; i++) {
        const struct policy_target *at = &policy->targets[i];
        if (at->shows[kind] && at->ports[kind] == port && is_same_host(at->address, host) &&
            may_be_behind(gateway, at->gateway)) {
            return at->shown[kind];
        }
    }
    return NULL;
}

/* /ssh to the port that a named target has for RDP would be no session of its rules for RDP. */
static int check_kind(const struct policy *policy, enum kind kind, const struct target *target,
                      struct why *why)
{
    if (target_at(policy, kind, target)) {
        return 0;
    }
    for (unsigned other = 0; other < KIND_COUNT; other++) {
        if (target_at(policy, (enum kind)other, target)) {
            return why_set(why, -EINVAL, "Port %u of %.64s is for %s: send /%s instead.",
                           target->port, target->host, kind_row((enum kind)other)->label,
                           kind_name((enum kind)other));
        }
    }
    return 0;
}

int policy_resolve(const struct policy *policy, enum kind kind, struct target *target,
                   struct why *why)
{
    const struct policy_target *named = policy_target_named(policy, target->host);
    if (!named) {
        return check_kind(policy, kind, target, why);
    }
    if (named->ports[kind] == 0) {
        return why_set(why, -EINVAL,
                       "You cannot reach %.64s by %s: the policy has no port for that.",
                       named->name, kind_row(kind)->label);
    }
    if (target->port != kind_row(kind)->port && target->port != named->ports[kind]) {
        return why_set(why, -EINVAL, "Leave the :%u out: the policy says at which port %.64s is.",
                       target->port, named->name);
    }
    if (!may_be_behind(target->gateway, named->gateway)) {
        return why_set(why, -EINVAL, "Leave the %.64s/ out: %.64s is behind gateway %.64s.",
                       target->gateway, named->name, named->gateway);
    }
    target->port = named->ports[kind];
    text_add(&(struct text){.start = target->host, .cap = sizeof target->host}, "%s",
             named->address);
    if (named->gateway[0]) {
        text_add(&(struct text){.start = target->gateway, .cap = sizeof target->gateway}, "%s",
                 named->gateway);
    }
    target->slash = false;
    return 0;
}

/* ---- deciding --------------------------------------------------------------- */

static bool has_group(const struct policy_user *user, const char *group)
{
    for (unsigned i = 0; i < user->group_count; i++) {
        if (strcmp(user->groups[i], group) == 0) {
            return true;
        }
    }
    return false;
}

static bool who_fits(const struct policy_rule *rule, const struct policy_user *user)
{
    for (unsigned i = 0; i < rule->who_count; i++) {
        const struct policy_who *who = &rule->who[i];
        if (who->form == WHO_EVERYBODY ||
            (who->form == WHO_NAMED && strcmp(who->name, user->name) == 0) ||
            (who->form == WHO_GROUP && has_group(user, who->name)) ||
            (who->form == WHO_ROLE && (user->roles & who->role))) {
            return true;
        }
    }
    return false;
}

static bool place_fits(const struct policy_place *place, const struct target *target,
                       const struct policy_target *named)
{
    struct addr addr;
    if (!may_be_behind(target->gateway, place->gateway)) {
        return false;
    }
    switch (place->form) {
    case PLACE_ANY:
        return true;
    case PLACE_TARGET:
        return place->target == named;
    case PLACE_HOST:
        return strcasecmp(place->host, target->host) == 0;
    case PLACE_NETWORK:
        return addr_parse(target->host, 0, &addr) == 0 &&
               addr_in_network(&addr, &place->network, place->bits);
    }
    return false;
}

/* What has no usual port goes to those that are written down, however wide a rule is. */
static bool port_is_listed(enum kind kind, const struct policy_target *named)
{
    return kind_row(kind)->port != 0 || named;
}

static bool target_fits(const struct policy_rule *rule, const struct target *target,
                        const struct policy_target *named)
{
    for (unsigned i = 0; i < rule->place_count; i++) {
        if (place_fits(&rule->places[i], target, named)) {
            return true;
        }
    }
    return false;
}

static bool hours_fit(const struct policy_rule *rule, const struct wall_clock *now)
{
    for (unsigned i = 0; i < rule->hours_count; i++) {
        if (hours_contain(&rule->hours[i], now)) {
            return true;
        }
    }
    return rule->hours_count == 0;
}

bool policy_has_expired(const struct policy *policy, const struct policy_user *user, int64_t unix_s)
{
    return user->until && unix_s + zone_offset(policy->zone, unix_s) >= user->until;
}

struct policy_answer policy_decide(const struct policy *policy,
                                   const struct policy_question *question)
{
    struct policy_answer answer = {.verdict = POLICY_NO_RULE};
    int64_t local = question->unix_s + zone_offset(policy->zone, question->unix_s);
    const struct wall_clock now = wall_clock_of(local);
    const struct policy_user *user = question->user;
    if (!user) {
        return (struct policy_answer){.verdict = POLICY_STRANGER};
    }
    if (!question->whenever && policy_has_expired(policy, user, question->unix_s)) {
        return (struct policy_answer){.verdict = POLICY_EXPIRED};
    }
    const struct policy_target *named = target_at(policy, question->kind, question->target);
    for (unsigned i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (!(rule->kinds >> question->kind & 1) || !who_fits(rule, user) ||
            !port_is_listed(question->kind, named) || !target_fits(rule, question->target, named)) {
            continue;
        }
        if (question->whenever || hours_fit(rule, &now)) {
            return (struct policy_answer){POLICY_ALLOWED, rule};
        }
        if (!answer.rule) {
            answer = (struct policy_answer){POLICY_NOT_NOW, rule};
        }
    }
    return answer;
}

/* ---- saying it ---------------------------------------------------------------- */

static void add_span(const struct hours *hours, struct text *text)
{
    static const char *const DAYS[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    if (hours->days != 0x7f) {
        size_t start = text->len;
        for (unsigned day = 0; day < 7; day++) {
            unsigned last = day;
            if (!(hours->days >> day & 1)) {
                continue;
            }
            while (last < 6 && hours->days >> (last + 1) & 1) {
                last++;
            }
            text_add(text, "%s%s", text->len > start ? "," : "", DAYS[day]);
            if (last > day) {
                text_add(text, "%s%s", last > day + 1 ? "-" : ",", DAYS[last]);
            }
            day = last;
        }
        text_add(text, " ");
    }
    text_add(text, "%02d:%02d-%02d:%02d", hours->from / 60, hours->from % 60, hours->to / 60,
             hours->to % 60);
}

void policy_add_hours(const struct policy_rule *rule, struct text *text)
{
    for (unsigned i = 0; i < rule->hours_count; i++) {
        text_add(text, "%s", i > 0 ? ", " : "");
        add_span(&rule->hours[i], text);
    }
    text_add(text, "%s", rule->hours_count == 0 ? "always" : "");
}

static const char *said_host(const struct policy_question *question)
{
    return question->said ? question->said : question->target->host;
}

const char *policy_nearest(const struct policy *policy, const struct policy_question *question)
{
    struct nearest nearest = nearest_to(said_host(question));
    if (policy_target_named(policy, nearest.typed)) {
        return NULL;
    }
    for (unsigned i = 0; i < policy->target_count; i++) {
        struct target target = {.port = kind_row(question->kind)->port};
        struct why why;
        text_add(&(struct text){.start = target.host, .cap = sizeof target.host}, "%s",
                 policy->targets[i].name);
        if (policy_resolve(policy, question->kind, &target, &why) == 0) {
            struct policy_question other = *question;
            other.target = &target;
            other.whenever = true;
            if (policy_decide(policy, &other).verdict == POLICY_ALLOWED) {
                nearest_try(&nearest, policy->targets[i].name);
            }
        }
    }
    return nearest.word;
}

void policy_say(const struct policy *policy, const struct policy_question *question,
                const struct policy_answer *answer, struct text *text)
{
    const char *kind = kind_row(question->kind)->label, *near;
    switch (answer->verdict) {
    case POLICY_ALLOWED:
        break;
    case POLICY_STRANGER:
        text_add(text, "You are not among the users of this server.");
        break;
    case POLICY_EXPIRED:
        text_add(text, "Your access to this server expired on %s.", question->user->expires);
        break;
    case POLICY_NOT_NOW:
        text_add(text, "You may not do this now: it is open ");
        policy_add_hours(answer->rule, text);
        text_add(text, ".");
        break;
    case POLICY_NO_RULE:
        near = policy_nearest(policy, question);
        text_add(text, "You may not reach %.64s by %s.", said_host(question), kind);
        if (near) {
            text_add(text, " Did you mean %s?", near);
        } else if (kind_row(question->kind)->port == 0) {
            text_add(text, " Only ports that the policy lists for a machine can be.");
        }
        break;
    }
}

/* ---- the end -------------------------------------------------------------------- */

void policy_free(struct policy *policy)
{
    if (!policy) {
        return;
    }
    for (unsigned i = 0; i < policy->user_count; i++) {
        free(policy->users[i].groups);
    }
    for (unsigned i = 0; i < policy->rule_count; i++) {
        free(policy->rules[i].who);
        free(policy->rules[i].places);
        free(policy->rules[i].hours);
    }
    for (unsigned i = 0; i < policy->warning_count; i++) {
        free(policy->warnings[i]);
    }
    free(policy->users);
    free(policy->targets);
    free(policy->rules);
    zone_free(policy->zone);
    document_free(policy->document);
    free(policy);
}
