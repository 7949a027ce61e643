/* The users of a policy file: policy_sections.h. */
#include "vps/policy/policy_sections.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_account(struct reader *reader, const struct node *node, struct policy_user *user,
                       enum owner_kind kind, int64_t id)
{
    const struct owner account = {.kind = kind, .id = id};
    const struct policy_user *other = policy_user_of(reader->policy, &account);
    if (other) {
        return schema_refuse(reader, node, "\"%s\" is %.63s's account already, in line %u",
                             node->text, other->name, other->line);
    }
    if (user->account_count == POLICY_ACCOUNTS_MAX) {
        return schema_refuse(reader, node, "\"%s\" is one too many: a user has at most %d accounts",
                             node->text, POLICY_ACCOUNTS_MAX);
    }
    user->accounts[user->account_count++] = account;
    return 0;
}

static int take_telegram(struct reader *reader, const struct node *node, void *into)
{
    int64_t id;
    if (!isdigit((unsigned char)node->text[0])) {
        return schema_refuse(
            reader, node,
            "telegram is \"%.40s\"; it takes a user's number, not a name: @userinfobot "
            "tells it",
            node->text);
    }
    int err = schema_number(reader, node, 1, INT64_C(1) << 52, &id);
    return err < 0 ? err : add_account(reader, node, into, OWNER_TELEGRAM, id);
}

static int read_telegram(struct reader *reader, const struct node *node, void *into)
{
    return schema_texts(reader, node, "a Telegram user's number", take_telegram, into);
}

static int read_uid(struct reader *reader, const struct node *node, void *into)
{
    int64_t uid;
    int err = schema_number(reader, node, 0, UINT32_MAX - 1, &uid);
    return err < 0 ? err : add_account(reader, node, into, OWNER_LOCAL, uid);
}

static int take_role(struct reader *reader, const struct node *node, void *into)
{
    unsigned role = schema_role(reader, node, node->text);
    ((struct policy_user *)into)->roles |= role;
    return role ? 0 : -EINVAL;
}

static int read_roles(struct reader *reader, const struct node *node, void *into)
{
    return schema_texts(reader, node, "roles: user, approver or administrator", take_role, into);
}

static int take_group(struct reader *reader, const struct node *node, void *into)
{
    struct policy_user *user = into;
    int err = schema_check_name(reader, node, node->text, "group");
    if (err == 0) {
        user->groups[user->group_count++] = node->text;
    }
    return err;
}

static int read_groups(struct reader *reader, const struct node *node, void *into)
{
    struct policy_user *user = into;
    user->groups = calloc(schema_room(node), sizeof *user->groups);
    return user->groups ? schema_texts(reader, node, "names of groups", take_group, into)
                        : schema_no_memory(reader);
}

static bool is_date(const char *text)
{
    static const char FORM[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof FORM; i++) {
        if (FORM[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != FORM[i]) {
            return false;
        }
    }
    return true;
}

/* The last day on which they may. */
static int read_expires(struct reader *reader, const struct node *node, void *into)
{
    struct policy_user *user = into;
    int year, month, day;
    if (node->kind == NODE_TEXT && is_date(node->text) &&
        sscanf(node->text, "%4d-%2d-%2d", &year, &month, &day) == 3 && month >= 1 && month <= 12 &&
        day >= 1) {
        int64_t begin = wall_clock_day(year, month, day);
        const struct wall_clock back = wall_clock_of(begin);
        if (back.month == month && back.day == day) {
            user->until = begin + 86400;
            user->expires = node->text;
            return 0;
        }
    }
    return schema_refuse(reader, node,
                         "expires is \"%.40s\"; it takes the last day, as in 2026-12-31",
                         node->kind == NODE_TEXT ? node->text : node_word(node));
}

/* There is one word: who needs none has no such key. */
static int read_second_factor(struct reader *reader, const struct node *node, void *into)
{
    static const char *const WORDS[] = {"required"};
    int err = schema_expect(reader, node, NODE_TEXT, "second_factor", "required");
    int word = err < 0 ? err : schema_word(reader, node, "second factor of a user", WORDS, 1);
    ((struct policy_user *)into)->second_factor = word == 0;
    return word < 0 ? -EINVAL : 0;
}

static const struct key USER_KEYS[] = {
    {"telegram", read_telegram, NULL}, {"uid", read_uid, NULL},
    {"roles", read_roles, NULL},       {"groups", read_groups, NULL},
    {"expires", read_expires, NULL},   {"second_factor", read_second_factor, NULL},
};

static int read_user(struct reader *reader, const struct node *node)
{
    struct policy *policy = reader->policy;
    struct policy_user *user = &policy->users[policy->user_count];
    char what[SCHEMA_NAME_MAX + 8];
    *user = (struct policy_user){.name = node->key, .line = node->line, .roles = POLICY_USER};
    int err = schema_check_name(reader, node, node->key, "user");
    if (err < 0) {
        return err;
    }
    policy->user_count++;
    snprintf(what, sizeof what, "user %.*s", SCHEMA_NAME_MAX, node->key);
    /* One without an account may get one by an invitation. */
    return SCHEMA_MAP(reader, node, what, USER_KEYS, user);
}

int policy_read_users(struct reader *reader, const struct node *node, void *into)
{
    (void)into;
    int err = schema_expect(reader, node, NODE_MAP, "users", "names, each with its keys below");
    if (err == 0 && schema_count(node) > POLICY_USERS_MAX) {
        err = schema_refuse(reader, node, "there are more than %d users", POLICY_USERS_MAX);
    }
    reader->policy->users = calloc(schema_count(node) + 1, sizeof *reader->policy->users);
    if (!reader->policy->users) {
        return schema_no_memory(reader);
    }
    for (const struct node *child = node->first; err == 0 && child; child = child->next) {
        err = read_user(reader, child);
    }
    return err;
}
