#include "vps/people/people.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "vps/settings/user_list.h"

struct people {
    const struct vps_settings *settings;
};

struct people *people_new(const struct vps_settings *settings)
{
    struct people *people = calloc(1, sizeof *people);
    if (people) {
        people->settings = settings;
    }
    return people;
}

void people_free(struct people *people)
{
    free(people);
}

const struct policy *people_policy(const struct people *people)
{
    return people->settings->policy_file.policy;
}

const struct policy_user *people_user(const struct people *people, const struct owner *account)
{
    const struct policy *policy = people_policy(people);
    return policy ? policy_user_of(policy, account) : NULL;
}

bool people_has(const struct people *people, const struct owner *account)
{
    return account->kind == OWNER_LOCAL ||
           user_list_has(&people->settings->allowed_users, account->id);
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
    const struct policy_user *user = policy_user_of(policy, account);
    return user && !policy_has_expired(policy, user, clock_unix()) &&
           (user->roles & ((unsigned)role | POLICY_ADMINISTRATOR));
}

char *people_name(const struct people *people, const struct owner *account, char *dst)
{
    const struct policy_user *user = people_user(people, account);
    if (!user) {
        return owner_text(account, dst);
    }
    snprintf(dst, PEOPLE_NAME_MAX, "%s", user->name);
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
    return count;
}
