#include "vps/people/people.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "vps/people/people_core.h"
#include "vps/settings/user_list.h"

struct people *people_new(const struct vps_settings *settings)
{
    struct people *people = calloc(1, sizeof *people);
    if (!people) {
        return NULL;
    }
    people->settings = settings;
    people->members = members_new();
    people->invitations = invitations_new();
    if (!people->members || !people->invitations) {
        people_free(people);
        return NULL;
    }
    return people;
}

void people_free(struct people *people)
{
    if (people) {
        members_free(people->members);
        invitations_free(people->invitations);
        free(people);
    }
}

const struct policy *people_policy(const struct people *people)
{
    return people->settings->policy_file.policy;
}

/* Of the policy's own accounts, or of those that were bound to its users since. */
const struct policy_user *people_user(const struct people *people, const struct owner *account)
{
    const struct policy *policy = people_policy(people);
    const struct policy_user *user = policy ? policy_user_of(policy, account) : NULL;
    const struct member *member = policy && !user ? members_of(people->members, account) : NULL;
    return member ? policy_user_named(policy, member->name) : user;
}

/* By an invitation. A policy that has nobody of the name any more lets nobody in by it. */
static bool is_member(const struct people *people, const struct owner *account)
{
    return people_policy(people) ? people_user(people, account) != NULL
                                 : members_of(people->members, account) != NULL;
}

bool people_has(const struct people *people, const struct owner *account)
{
    return account->kind == OWNER_LOCAL ||
           user_list_has(&people->settings->allowed_users, account->id) ||
           is_member(people, account);
}

static bool owns_the_bot(const struct people *people, const struct owner *account)
{
    const struct user_list *users = &people->settings->allowed_users;
    return users->count > 0 && users->ids[0] == account->id;
}

bool people_may(const struct people *people, const struct owner *account, enum policy_role role)
{
    const struct policy *policy = people_policy(people);
    if (account->kind == OWNER_LOCAL) {
        return true;
    }
    if (!policy) {
        return people_has(people, account) &&
               (role == POLICY_USER || owns_the_bot(people, account));
    }
    const struct policy_user *user = people_user(people, account);
    return user && !policy_has_expired(policy, user, clock_unix()) &&
           (user->roles & ((unsigned)role | POLICY_ADMINISTRATOR));
}

char *people_name(const struct people *people, const struct owner *account, char *dst)
{
    const struct policy_user *user = people_user(people, account);
    const struct member *member = user ? NULL : members_of(people->members, account);
    if (!user && !member) {
        return owner_text(account, dst);
    }
    snprintf(dst, PEOPLE_NAME_MAX, "%s", user ? user->name : member->name);
    return dst;
}

unsigned people_in_chat(const struct people *people, enum policy_role role, struct owner ret[],
                        unsigned most)
{
    const struct user_list *users = &people->settings->allowed_users;
    unsigned count = 0;
    for (unsigned i = 0; i < users->count && count < most; i++) {
        const struct owner account = {OWNER_TELEGRAM, users->ids[i]};
        if (people_may(people, &account, role)) {
            ret[count++] = account;
        }
    }
    for (unsigned i = 0; i < members_count(people->members) && count < most; i++) {
        const struct owner account = members_at(people->members, i)->account;
        if (!user_list_has(users, account.id) && people_may(people, &account, role)) {
            ret[count++] = account;
        }
    }
    return count;
}

const struct member *people_member(const struct people *people, unsigned number)
{
    return number < members_count(people->members) ? members_at(people->members, number) : NULL;
}

const struct invitation *people_next_invitation(const struct people *people, unsigned *at)
{
    return invitations_next(people->invitations, at);
}
