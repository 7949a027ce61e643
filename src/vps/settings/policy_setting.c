#include "vps/settings/policy_setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/changes.h"
#include "base/text.h"
#include "vps/policy/policy_file.h"

static int parse(const struct setting *setting, const char *text, void *field, struct why *why)
{
    struct policy_setting *policy = field;
    (void)setting;
    if (text[0] != '/') {
        return why_set(why, -EINVAL, "not an absolute path");
    }
    if (strlen(text) > POLICY_PATH_MAX) {
        return why_set(why, -EINVAL, "longer than %d characters", POLICY_PATH_MAX);
    }
    snprintf(policy->path, sizeof policy->path, "%s", text);
    return 0;
}

static bool is_same_text(const struct policy *a, const struct policy *b)
{
    size_t len, other_len;
    const char *text = document_source(a->document, &len);
    const char *other = document_source(b->document, &other_len);
    return len == other_len && memcmp(text, other, len) == 0;
}

static void add_missing(const struct policy *from, const struct policy *in, const char *verb,
                        struct text *text)
{
    for (unsigned i = 0; i < from->user_count; i++) {
        if (!policy_user_named(in, from->users[i].name)) {
            changes_add_item(text, from->users[i].name, verb);
        }
    }
}

static void differ(const void *before, const void *after, struct text *text)
{
    const struct policy_setting *from = before, *to = after;
    if (!from->policy || !to->policy || strcmp(from->path, to->path) != 0) {
        if (strcmp(from->path, to->path) != 0) {
            text_add(text, "%s → %s", from->path[0] ? from->path : "unset",
                     to->path[0] ? to->path : "unset");
        }
        return;
    }
    if (!is_same_text(from->policy, to->policy)) {
        add_missing(to->policy, from->policy, "added", text);
        add_missing(from->policy, to->policy, "removed", text);
        changes_add_item(text, text->len > 0 ? "the file" : to->path, "changed");
    }
}

const struct setting_type SETTING_POLICY = {parse, sizeof(struct policy_setting), NULL, differ};

int policy_setting_read(struct policy_setting *setting, struct why *why)
{
    return setting->path[0] ? policy_load(setting->path, &setting->policy, why) : 0;
}

static struct user_list users_of(const struct policy *policy)
{
    struct user_list users = {.is_of_policy = true};
    for (unsigned i = 0; i < policy->user_count; i++) {
        const struct policy_user *user = &policy->users[i];
        for (unsigned j = 0; j < user->account_count && users.count < USER_LIST_SIZE; j++) {
            if (user->accounts[j].kind == OWNER_TELEGRAM) {
                users.ids[users.count++] = user->accounts[j].id;
            }
        }
    }
    return users;
}

/* Whoever adds a policy to settings that worked leaves ALLOWED_USERS there, and may rely on it. */
static void warn_of_others(struct policy *policy, const struct user_list *listed,
                           const struct user_list *users)
{
    char buffer[160];
    struct text others = text_over(buffer, sizeof buffer);
    for (unsigned i = 0; i < listed->count; i++) {
        if (!user_list_has(users, listed->ids[i])) {
            text_add(&others, "%s%" PRId64, others.len > 0 ? ", " : "", listed->ids[i]);
        }
    }
    char *warning = NULL;
    if (others.len > 0 && policy->warning_count < POLICY_WARNINGS_MAX &&
        asprintf(&warning,
                 "ALLOWED_USERS has %s%s, whom POLICY_FILE does not: with a policy only its users "
                 "are let in",
                 buffer, others.cut ? "…" : "") >= 0) {
        policy->warnings[policy->warning_count++] = warning;
    }
}

void policy_setting_name_users(struct policy_setting *setting, struct user_list *users)
{
    if (setting->policy) {
        const struct user_list of_policy = users_of(setting->policy);
        warn_of_others(setting->policy, users, &of_policy);
        *users = of_policy;
    }
}
