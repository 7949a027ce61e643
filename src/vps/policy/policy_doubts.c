/*
 * Rules are compared by what they say and not by whom and what that comes to at the moment: one
 * that takes over as soon as somebody joins a group has its use. So it is only a rule whose every
 * word is in one above it that is called unreachable.
 */
#include "vps/policy/policy_doubts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

__attribute__((format(printf, 4, 5))) static int warn(struct policy *policy, const char *name,
                                                      unsigned line, const char *format, ...)
{
    char *warning = NULL, sentence[240];
    va_list args;
    if (policy->warning_count == POLICY_WARNINGS_MAX) {
        return 0;
    }
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (asprintf(&warning, "%s:%u: %s", name, line, sentence) < 0) {
        return -ENOMEM;
    }
    policy->warnings[policy->warning_count++] = warning;
    return 0;
}

/* ---- rules that nothing reaches ------------------------------------------------- */

static bool who_covers(const struct policy_who *above, const struct policy_who *below)
{
    if (above->form == WHO_EVERYBODY || (above->form == WHO_ROLE && above->role == POLICY_USER)) {
        return true;
    }
    return above->form == below->form &&
           (above->form == WHO_ROLE ? above->role == below->role
                                    : strcmp(above->name, below->name) == 0);
}

static bool place_covers(const struct policy_place *above, const struct policy_place *below)
{
    if (above->gateway[0] && !gateway_name_equal(above->gateway, below->gateway)) {
        return false;
    }
    if (above->form == PLACE_ANY) {
        return true;
    }
    if (above->form != below->form) {
        return false;
    }
    switch (above->form) {
    case PLACE_TARGET:
        return above->target == below->target;
    case PLACE_HOST:
        return strcasecmp(above->host, below->host) == 0;
    case PLACE_NETWORK:
        return above->bits <= below->bits &&
               addr_in_network(&below->network, &above->network, above->bits);
    default:
        return false;
    }
}

static bool hours_cover(const struct policy_rule *above, const struct policy_rule *below)
{
    bool all = below->hours_count > 0;
    for (unsigned i = 0; all && i < below->hours_count; i++) {
        const struct hours *span = &below->hours[i];
        bool found = false;
        for (unsigned j = 0; j < above->hours_count; j++) {
            found |= above->hours[j].days == span->days && above->hours[j].from == span->from &&
                     above->hours[j].to == span->to;
        }
        all = found;
    }
    return above->hours_count == 0 || all;
}

static bool covers_all_who(const struct policy_rule *above, const struct policy_rule *below)
{
    for (unsigned i = 0; i < below->who_count; i++) {
        bool found = false;
        for (unsigned j = 0; j < above->who_count && !found; j++) {
            found = who_covers(&above->who[j], &below->who[i]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool covers_all_places(const struct policy_rule *above, const struct policy_rule *below)
{
    for (unsigned i = 0; i < below->place_count; i++) {
        bool found = false;
        for (unsigned j = 0; j < above->place_count && !found; j++) {
            found = place_covers(&above->places[j], &below->places[i]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool covers(const struct policy_rule *above, const struct policy_rule *below)
{
    return (below->kinds & ~above->kinds) == 0 && hours_cover(above, below) &&
           covers_all_who(above, below) && covers_all_places(above, below);
}

static int find_unreachable(struct policy *policy, const char *name)
{
    int err = 0;
    for (unsigned i = 1; err == 0 && i < policy->rule_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (covers(&policy->rules[j], &policy->rules[i])) {
                err = warn(policy, name, policy->rules[i].line,
                           "no request reaches this rule: that of line %u takes them all",
                           policy->rules[j].line);
                break;
            }
        }
    }
    return err;
}

/* ---- groups without anybody ------------------------------------------------------- */

static bool is_in_use(const struct policy *policy, const char *group)
{
    for (unsigned i = 0; i < policy->user_count; i++) {
        for (unsigned j = 0; j < policy->users[i].group_count; j++) {
            if (strcmp(policy->users[i].groups[j], group) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int find_empty_groups(struct policy *policy, const char *name)
{
    int err = 0;
    for (unsigned i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        for (unsigned j = 0; err == 0 && j < rule->who_count; j++) {
            if (rule->who[j].form == WHO_GROUP && !is_in_use(policy, rule->who[j].name)) {
                err = warn(policy, name, rule->line, "nobody is in the group \"%.63s\"",
                           rule->who[j].name);
            }
        }
    }
    return err;
}

/* ---- more approvals than people ----------------------------------------------------- */

static unsigned count_approvers(const struct policy *policy)
{
    unsigned count = 0;
    for (unsigned i = 0; i < policy->user_count; i++) {
        count += (policy->users[i].roles & (POLICY_APPROVER | POLICY_ADMINISTRATOR)) != 0;
    }
    return count;
}

static int find_too_few_approvers(struct policy *policy, const char *name)
{
    unsigned count = count_approvers(policy);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->approvals > count) {
            err = warn(policy, name, rule->line,
                       "nobody gets in by this rule: it takes %u approvals, and approvers and "
                       "administrators together are only %u",
                       rule->approvals, count);
        }
    }
    return err;
}

/* ---- two names of one machine --------------------------------------------------------- */

/* At the same port, and behind the same gateway if the one above says one. */
static bool is_same_machine(const struct policy_target *a, const struct policy_target *b)
{
    bool same_port = false;
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        same_port |= a->ports[kind] != 0 && a->ports[kind] == b->ports[kind];
    }
    return same_port && strcasecmp(a->address, b->address) == 0 &&
           (!a->gateway[0] || gateway_name_equal(a->gateway, b->gateway));
}

static int find_second_names(struct policy *policy, const char *name)
{
    int err = 0;
    for (unsigned i = 1; err == 0 && i < policy->target_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (is_same_machine(&policy->targets[j], &policy->targets[i])) {
                err = warn(policy, name, policy->targets[i].line,
                           "\"%.63s\" is the machine that line %u calls \"%.63s\": the rules for "
                           "that name count for both",
                           policy->targets[i].name, policy->targets[j].line,
                           policy->targets[j].name);
                break;
            }
        }
    }
    return err;
}

/* ---- an end of hours that never comes ------------------------------------------------ */

static int find_ends_without_hours(struct policy *policy, const char *name)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->ends_with_hours && rule->hours_count == 0) {
            err = warn(policy, name, rule->line,
                       "at_end_of_hours does nothing here: the rule has no hours");
        }
    }
    return err;
}

int policy_find_doubts(struct policy *policy, const char *name)
{
    int err = find_unreachable(policy, name);
    err = err < 0 ? err : find_empty_groups(policy, name);
    err = err < 0 ? err : find_second_names(policy, name);
    err = err < 0 ? err : find_ends_without_hours(policy, name);
    return err < 0 ? err : find_too_few_approvers(policy, name);
}
