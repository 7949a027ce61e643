#include "vps/consent/approver.h"

#include <errno.h>

#include "base/clock.h"

bool approver_is_same(const struct people *people, const struct owner *a, const struct owner *b)
{
    const struct policy_user *user = people_user(people, a);
    return owner_equal(a, b) || (user && user == people_user(people, b));
}

/* The admin socket lets in whoever is root; an approval needs a name, too. */
static int check_person(const struct people *people, const struct owner *by)
{
    const struct policy *policy = people_policy(people);
    const struct policy_user *user = people_user(people, by);
    if (policy && !user) {
        return by->kind == OWNER_LOCAL ? -ENOENT : -EACCES;
    }
    return policy && policy_has_expired(policy, user, clock_unix()) ? -EACCES : 0;
}

int approver_check(const struct people *people, const struct owner *asker, const struct owner *by)
{
    if (approver_is_same(people, asker, by)) {
        return -EPERM;
    }
    if (!people_may(people, by, POLICY_APPROVER)) {
        return -EACCES;
    }
    return check_person(people, by);
}

/* With one of those that the policy has, or with one that came by an invitation. */
static bool may_somehow(const struct people *people, const struct owner *asker,
                        const struct policy_user *user, const struct owner chat[], unsigned count)
{
    for (unsigned i = 0; i < user->account_count; i++) {
        if (approver_check(people, asker, &user->accounts[i]) == 0) {
            return true;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (people_user(people, &chat[i]) == user && approver_check(people, asker, &chat[i]) == 0) {
            return true;
        }
    }
    return false;
}

unsigned approvers_count(const struct people *people, const struct owner *asker)
{
    const struct policy *policy = people_policy(people);
    struct owner chat[POLICY_USERS_MAX];
    unsigned in_chat = people_in_chat(people, POLICY_APPROVER, chat, POLICY_USERS_MAX), count = 0;
    for (unsigned i = 0; policy && i < policy->user_count; i++) {
        count += may_somehow(people, asker, &policy->users[i], chat, in_chat);
    }
    return count;
}
