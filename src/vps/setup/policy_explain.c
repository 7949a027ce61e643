#include "vps/setup/policy_explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/nearest.h"
#include "shared/program.h"
#include "vps/settings/settings.h"

struct question {
    const struct policy_user *user;
    enum kind kind;
    struct target target;
    int64_t unix_s;
};

/* ---- reading it ------------------------------------------------------------- */

static int read_user(const struct policy *policy, const char *name, struct question *question,
                     struct why *why)
{
    struct nearest nearest = nearest_to(name);
    for (unsigned i = 0; i < policy->user_count; i++) {
        nearest_try(&nearest, policy->users[i].name);
    }
    question->user = policy_user_named(policy, name);
    return question->user ? 0
                          : why_set(why, -EINVAL, "the policy has no user \"%.60s\"%s%s%s", name,
                                    nearest.word ? ": did you mean \"" : "",
                                    nearest.word ? nearest.word : "", nearest.word ? "\"?" : "");
}

static int read_target(const struct policy *policy, const char *kind, const char *target,
                       struct question *question, struct why *why)
{
    const struct kind_row *row = kind_find(kind);
    if (!row) {
        return why_set(why, -EINVAL, "there is no kind of session \"%.60s\"", kind);
    }
    question->kind = row->kind;
    int err = target_parse_for(row, target, &question->target, why);
    err = err < 0 ? err : policy_resolve(policy, row->kind, &question->target, why);
    return err == 0 && question->target.port == 0
               ? why_set(why, -EINVAL, "%s has no usual port: write HOST:PORT", row->label)
               : err;
}

/* A wall clock's time has the offset that holds then; asked twice, it has settled. */
static int read_time(const struct zone *zone, const char *text, struct question *question,
                     struct why *why)
{
    int year, month, day, hour, minute, end = 0;
    if (sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d%n", &year, &month, &day, &hour, &minute, &end) <
            5 ||
        text[end] || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59) {
        return why_set(why, -EINVAL,
                       "the time is \"%.40s\"; it takes one like \"2026-11-28 19:00\"", text);
    }
    int64_t local = wall_clock_day(year, month, day) + hour * 3600 + minute * 60;
    int64_t guess = local - zone_offset(zone, local);
    question->unix_s = local - zone_offset(zone, guess);
    return 0;
}

static int read_question(const struct policy *policy, char *const *words, unsigned count,
                         struct question *question, struct why *why)
{
    if (count < 3 || count > 4) {
        return why_set(why, -EINVAL, "--explain takes USER KIND TARGET [TIME]");
    }
    int err = read_user(policy, words[0], question, why);
    err = err < 0 ? err : read_target(policy, words[1], words[2], question, why);
    question->unix_s = clock_unix();
    return err < 0 || count < 4 ? err : read_time(policy->zone, words[3], question, why);
}

/* ---- answering --------------------------------------------------------------- */

static void add_conditions(const struct policy_rule *rule, const struct policy_user *user,
                           struct text *text)
{
    text_add(text, "open ");
    policy_add_hours(rule, text);
    if (rule->ends_with_hours && rule->hours_count > 0) {
        text_add(text, ", and closed when they end");
    }
    if (rule->longest_s) {
        text_add(text, "; for at most ");
        text_add_seconds(text, (uint64_t)rule->longest_s);
    }
    if (rule->connections) {
        text_add(text, "; connections at once: %ld", rule->connections);
    }
    if (rule->approvals) {
        text_add(text, "; approvals: %u", rule->approvals);
    }
    if (rule->second_factor || user->second_factor) {
        text_add(text, "; with a second factor%s%s", rule->second_factor ? "" : ", as always for ",
                 rule->second_factor ? "" : user->name);
    }
}

static void print_question(const struct policy *policy, const struct question *question)
{
    static const char *const DAYS[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    char target[TARGET_TEXT_MAX];
    int64_t local = question->unix_s + zone_offset(policy->zone, question->unix_s);
    struct wall_clock clock = wall_clock_of(local);
    target_format(question->target.host, question->target.port, target);
    printf("%s, %s to %s%s%s, %s %04d-%02d-%02d %02u:%02u: ", question->user->name,
           kind_row(question->kind)->label, question->target.gateway,
           question->target.gateway[0] ? "/" : "", target, DAYS[clock.weekday], clock.year,
           clock.month, clock.day, clock.minute / 60, clock.minute % 60);
}

static int answer(const struct policy_setting *setting, const struct question *asked)
{
    const struct policy *policy = setting->policy;
    const struct policy_question question = {.user = asked->user,
                                             .kind = asked->kind,
                                             .target = &asked->target,
                                             .unix_s = asked->unix_s};
    const struct policy_answer answer = policy_decide(policy, &question);
    char words[600];
    struct text text = text_over(words, sizeof words);
    bool allowed = answer.verdict == POLICY_ALLOWED;
    print_question(policy, asked);
    if (!answer.rule) {
        policy_say(policy, &question, &answer, &text);
        printf("refused; no rule allows it\n    %s\n", words);
        return EXIT_FAILURE;
    }
    add_conditions(answer.rule, asked->user, &text);
    printf("%s\n    %s:%u: %s\n", allowed ? "allowed" : "refused; it is not the time",
           setting->path, answer.rule->line, words);
    return allowed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int policy_explain(const char *env_file, char *const *words, unsigned count)
{
    struct vps_settings settings = {0};
    struct question question = {0};
    struct why why = {""};
    int status = EXIT_USAGE;
    /* Without what the bot needs: this speaks to nobody. */
    int err = vps_settings_load(vps_settings_env_file(env_file, true), true, &settings, &why);
    const struct policy *policy = settings.policy_file.policy;
    if (err == 0 && !policy) {
        err = why_set(&why, -EINVAL, "there is nothing to explain: POLICY_FILE is not set");
    }
    err = err < 0 ? err : read_question(policy, words, count, &question, &why);
    if (err == 0) {
        status = answer(&settings.policy_file, &question);
    } else {
        log_complain("vps-agent", why.text);
    }
    vps_settings_wipe(&settings);
    return status;
}
