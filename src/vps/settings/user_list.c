#include "vps/settings/user_list.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/changes.h"

/* What people write most: names, groups' numbers, other marks than a comma. */
static int refuse_users(const char *text, const char *at, struct why *why)
{
    if (strchr(text, '@') || isalpha((unsigned char)*at)) {
        return why_set(why, -EINVAL, "it takes numbers, not names; @userinfobot tells you yours");
    }
    if (*at == ';' || *at == ' ' || isdigit((unsigned char)*at)) {
        return why_set(why, -EINVAL, "put a comma between two users");
    }
    if (*at == '-') {
        return why_set(why, -EINVAL, "that is a group's number; a user's has no minus sign");
    }
    return *at == ',' ? why_set(why, -EINVAL, "a comma only goes between two users") : -EINVAL;
}

static int parse(const struct setting *setting, const char *text, void *field, struct why *why)
{
    struct user_list *users = field;
    const char *whole = text;
    (void)setting;
    users->count = 0;
    users->is_of_policy = false;
    while (*text) {
        char *end;
        errno = 0;
        text += strspn(text, " ");
        long long id = strtoll(text, &end, 10);
        end += strspn(end, " ");
        /* Groups have negative numbers: one of them as a user would let in nobody. */
        if (errno || end == text || id <= 0 || (*end && *end != ',')) {
            return refuse_users(whole, id <= 0 ? text : end, why);
        }
        if (users->count == USERS_MAX) {
            return why_set(why, -EINVAL, "more than %d users", USERS_MAX);
        }
        users->ids[users->count++] = id;
        text = *end ? end + 1 : end;
    }
    return users->count > 0 ? 0 : -EINVAL;
}

bool user_list_has(const struct user_list *users, int64_t user)
{
    for (unsigned i = 0; i < users->count; i++) {
        if (users->ids[i] == user) {
            return true;
        }
    }
    return false;
}

static void add_missing_users(const struct user_list *from, const struct user_list *in,
                              const char *verb, struct text *text)
{
    char id[24];
    for (unsigned i = 0; i < from->count; i++) {
        if (!user_list_has(in, from->ids[i])) {
            snprintf(id, sizeof id, "%" PRId64, from->ids[i]);
            changes_add_item(text, id, verb);
        }
    }
}

/* Whom a policy brings or takes is said of the policy, by name. */
static void differ(const void *before, const void *after, struct text *text)
{
    const struct user_list *from = before, *to = after;
    if (from->is_of_policy && to->is_of_policy) {
        return;
    }
    if (from->is_of_policy != to->is_of_policy) {
        changes_add_item(text, to->is_of_policy ? "those of POLICY_FILE" : "those of the env file",
                         "count now");
        return;
    }
    add_missing_users(after, before, "added", text);
    add_missing_users(before, after, "removed", text);
}

const struct setting_type SETTING_USER_LIST = {parse, sizeof(struct user_list), NULL, differ};
