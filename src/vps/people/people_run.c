/*
 * What a change means is decided here; members and invitations only keep it. Whoever loses access
 * has lost it when lost() is called: that ends sessions, whose owners are then nobody's any more.
 */
#include "vps/people/people_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "vps/people/people_core.h"
#include "vps/policy/policy_schema.h"
#include "vps/settings/user_list.h"

_Static_assert((int)MEMBER_NAME_MAX == (int)SCHEMA_NAME_MAX, "a name of the policy is one of ours");

void people_begin(struct people *people, const struct people_options *options)
{
    people->options = *options;
    members_load(people->members, options->store);
    invitations_load(people->invitations, options->store);
}

static void record(const struct people *people, enum audit_event what, const char *name,
                   const struct owner *account, const struct owner *by, const char *why)
{
    char by_name[PEOPLE_NAME_MAX];
    const struct audit_entry entry = {
        .what = what,
        .owner = account,
        .name = name,
        .by = by,
        .by_name = by && people_user(people, by) ? people_name(people, by, by_name) : NULL,
        .why = why,
    };
    audit_record(people->options.audit, &entry, NULL, NULL);
}

/* ---- invitations ---------------------------------------------------------- */

/* Whom the policy has, or whom it has not yet. */
static int check_name(const struct people *people, const char *name, struct why *why)
{
    const struct policy *policy = people_policy(people);
    if (!schema_is_name(name)) {
        return why_set(why, -EINVAL,
                       "“%.63s” is no name of a user: it takes letters, digits, '.', '_' and '-', "
                       "at most %d.",
                       name, MEMBER_NAME_MAX);
    }
    if (policy && !policy_user_named(policy, name)) {
        return why_set(why, -ENOENT,
                       "The policy has no user %.63s: write one into %.160s first, and then "
                       "pamctl reload.",
                       name, people->settings->policy_file.path);
    }
    if (!policy && members_named(people->members, name)) {
        return why_set(why, -EEXIST,
                       "Somebody called %.63s is in already: take another name, or pamctl user "
                       "remove %.63s first.",
                       name, name);
    }
    return 0;
}

static int check_administrators(const struct people *people, struct why *why)
{
    struct owner one;
    return people_in_chat(people, POLICY_ADMINISTRATOR, &one, 1) > 0
               ? 0
               : why_set(why, -EDESTADDRREQ,
                         "Nobody could let them in: an administrator is asked in the chat, and "
                         "none of the policy's has a telegram number.");
}

int people_invite(struct people *people, const char *name, const struct owner *by, char *ret_token,
                  int64_t *ret_until, struct why *why)
{
    int err = check_name(people, name, why);
    err = err < 0 ? err : check_administrators(people, why);
    if (err < 0) {
        return err;
    }
    err = invitations_make(people->invitations, name, by, ret_token, ret_until);
    if (err < 0) {
        return why_set(why, err, "%s",
                       err == -ENOSPC ? "Too many invitations wait to be opened: try again when "
                                        "one of them is, or in an hour."
                                      : "The kernel has no random numbers.");
    }
    record(people, AUDIT_PEOPLE_INVITED, name, NULL, by, NULL);
    return 0;
}

const struct invitation *people_open(struct people *people, const char *token,
                                     const struct owner *account)
{
    return people_has(people, account) ? NULL
                                       : invitations_open(people->invitations, token, account);
}

/* ---- what administrators say ---------------------------------------------- */

int people_let_in(struct people *people, const char *name, const struct owner *account,
                  const struct owner *by)
{
    const struct policy *policy = people_policy(people);
    struct member member = {.account = *account, .since = clock_unix(), .by = *by};
    char called[OWNER_TEXT_MAX], says[OWNER_TEXT_MAX];
    strncat(member.name, name, MEMBER_NAME_MAX);
    if (policy && !policy_user_named(policy, member.name)) {
        invitations_drop(people->invitations, member.name);
        return -ENOENT;
    }
    if (!invitations_are_opened_by(people->invitations, member.name, account)) {
        return -ESTALE;
    }
    invitations_drop(people->invitations, member.name);
    int err = members_put(people->members, &member);
    if (err == 0) {
        log_info(people->options.log, "people: %s is let in as %s, by %s",
                 owner_text(account, called), member.name, owner_text(by, says));
        record(people, AUDIT_PEOPLE_LET_IN, member.name, account, by, NULL);
    }
    return err;
}

void people_turn_away(struct people *people, const char *name, const struct owner *account,
                      const struct owner *by)
{
    char copy[MEMBER_NAME_MAX + 1] = "", called[OWNER_TEXT_MAX], says[OWNER_TEXT_MAX];
    strncat(copy, name, MEMBER_NAME_MAX); /* it may be the invitation's own */
    if (invitations_are_opened_by(people->invitations, copy, account)) { /* not a newer one */
        invitations_drop(people->invitations, copy);
    }
    log_info(people->options.log, "people: %s is not let in as %s: %s%s",
             owner_text(account, called), copy, by ? "no from " : "nobody answered in time",
             by ? owner_text(by, says) : "");
    record(people, AUDIT_PEOPLE_DENIED, copy, account, by, by ? NULL : "nobody answered in time");
}

/* ---- going ---------------------------------------------------------------- */

static unsigned drop_members(struct people *people, const char *name, const struct owner *by)
{
    const struct member *member;
    char called[OWNER_TEXT_MAX], says[OWNER_TEXT_MAX];
    unsigned count = 0;
    while ((member = members_named(people->members, name))) {
        const struct owner account = member->account;
        log_info(people->options.log, "people: %s (%s) is removed, by %s", name,
                 owner_text(&account, called), owner_text(by, says));
        members_drop(people->members, &account);
        record(people, AUDIT_PEOPLE_REMOVED, name, &account, by, NULL);
        count++;
    }
    return count;
}

/* Nothing of theirs came by an invitation: where it came from. */
static int say_where(const struct people *people, const char *name, struct why *why)
{
    const struct policy *policy = people_policy(people);
    const struct policy_user *user = policy ? policy_user_named(policy, name) : NULL;
    char *end;
    int64_t id = strtoll(name, &end, 10);
    if (user) {
        return why_set(why, -EPERM,
                       "%.63s is in the policy, %.160s:%u, which only its file changes: take the "
                       "user out there, and then pamctl reload.",
                       name, people->settings->policy_file.path, user->line);
    }
    if (!policy && name[0] && !*end && user_list_has(&people->settings->allowed_users, id)) {
        return why_set(why, -EPERM,
                       "%" PRId64 " is in ALLOWED_USERS: take the number out of the env file, and "
                       "then pamctl reload.",
                       id);
    }
    return why_set(why, -ENOENT,
                   "Nobody called %.63s is in, and no invitation for that name waits; see pamctl "
                   "user list.",
                   name);
}

int people_remove(struct people *people, const char *name, const struct owner *by,
                  struct people_removed *ret_removed, struct why *why)
{
    const struct policy *policy = people_policy(people);
    struct people_removed removed = {.accounts = drop_members(people, name, by),
                                     .invitations = invitations_drop(people->invitations, name)};
    if (removed.accounts + removed.invitations == 0) {
        return say_where(people, name, why);
    }
    const struct policy_user *user = policy ? policy_user_named(policy, name) : NULL;
    removed.still = user && user->account_count > 0;
    if (removed.accounts > 0 && people->options.lost) {
        people->options.lost(people->options.arg);
    }
    *ret_removed = removed;
    return 0;
}
