/*
 * people: who is let in, what they are called, and what they may decide. With a policy these are
 * its users, some of whom may have come in by an invitation (people_run.h); without one those of
 * ALLOWED_USERS, of whom the first is the administrator, since whoever set the bot up wrote
 * themselves there first, and those who were invited. Whoever reaches the admin socket is let in
 * and an administrator, too: nobody gets there but root and those whom root let.
 *
 * Looked up each time: settings change, and nobody may keep an answer.
 */
#ifndef PAMTUNNEL_VPS_PEOPLE_PEOPLE_H
#define PAMTUNNEL_VPS_PEOPLE_PEOPLE_H

#include <stdbool.h>

#include "vps/grant/owner.h"
#include "vps/policy/policy.h"
#include "vps/settings/settings.h"

struct people;

/* The settings outlive it, and may change in place. NULL: out of memory. */
struct people *people_new(const struct vps_settings *settings);
/* Accepts NULL. */
void people_free(struct people *people);

/* The agent hears this account at all. */
bool people_has(const struct people *people, const struct owner *account);
/*
 * It has the role, and is not expired. An administrator is an approver, too. Nobody has any who is
 * not let in.
 */
bool people_may(const struct people *people, const struct owner *account, enum policy_role role);
/* The policy in force, for a moment: a reload replaces it. NULL: there is none. */
const struct policy *people_policy(const struct people *people);
/* Whose account it is, in the policy. NULL: there is no policy, or it does not have it. */
const struct policy_user *people_user(const struct people *people, const struct owner *account);
/* "alice", or "telegram:42" of those without a name; dst takes PEOPLE_NAME_MAX. Returns dst. */
char *people_name(const struct people *people, const struct owner *account, char *dst);
enum { PEOPLE_NAME_MAX = 64 };
/* The chat accounts that have the role, up to `most`. Returns how many were stored. */
unsigned people_in_chat(const struct people *people, enum policy_role role, struct owner ret[],
                        unsigned most);

/* Those who came in by an invitation, by number; NULL behind the last one. */
struct member;
const struct member *people_member(const struct people *people, unsigned number);
/* Invitations that wait; *at is 0 for the first. NULL at the end. */
struct invitation;
const struct invitation *people_next_invitation(const struct people *people, unsigned *at);

#endif
