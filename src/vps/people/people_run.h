/*
 * people_run: how people come in and go while the agent runs, beside those of the policy and of
 * ALLOWED_USERS. Those who only look need people.h.
 *
 *     people_invite() --the link is opened--> people_open() --an administrator--> people_let_in()
 *                                                                      '------> people_turn_away()
 *
 * With a policy an invitation is for one of its users, and binds one more account to that one;
 * without one it lets somebody in as ALLOWED_USERS does. All of it is recorded in the audit.
 */
#ifndef PAMTUNNEL_VPS_PEOPLE_PEOPLE_RUN_H
#define PAMTUNNEL_VPS_PEOPLE_PEOPLE_RUN_H

#include "base/log.h"
#include "base/why.h"
#include "vps/audit/audit.h"
#include "vps/people/invitations.h"
#include "vps/people/members.h"
#include "vps/people/people.h"

/* All of it outlives the people. */
struct people_options {
    const struct log *log;
    struct store *store; /* not started yet; may be NULL: a restart forgets who came in */
    struct audit *audit; /* may be NULL */
    /* Somebody has lost access, and is to lose what they have open. */
    void (*lost)(void *arg);
    void *arg;
};

/* Reads who came in before. */
void people_begin(struct people *people, const struct people_options *options);

/*
 * Makes a link's token, which takes INVITATION_TOKEN_SIZE and is to be wiped. On failure why is a
 * sentence: -EINVAL no name, -ENOENT not a user of the policy, -EEXIST somebody of that name is in,
 * -EDESTADDRREQ no administrator can be asked in the chat, -ENOSPC too many.
 */
int people_invite(struct people *people, const char *name, const struct owner *by, char *ret_token,
                  int64_t *ret_until, struct why *why);
/* Whom that link is for: see invitations_open(). An account that is let in opens none. */
const struct invitation *people_open(struct people *people, const char *token,
                                     const struct owner *account);
/*
 * An administrator's word about who opened the link for `name`, which is over then. -ENOENT: the
 * policy has no such user any more; -ESTALE: that link is good for nothing any more, since they
 * were removed or there is a newer one, which stays; -ENOSPC: too many people.
 */
int people_let_in(struct people *people, const char *name, const struct owner *account,
                  const struct owner *by);
/* by: NULL if nobody answered in time. */
void people_turn_away(struct people *people, const char *name, const struct owner *account,
                      const struct owner *by);

/* Of whom people_remove() has removed something. */
struct people_removed {
    unsigned accounts, invitations;
    bool still; /* the policy has accounts of theirs, which stay */
};
/*
 * Takes away what an invitation gave to somebody of that name, and invitations that wait.
 * -ENOENT: there is nobody; -EPERM: those are the policy's or ALLOWED_USERS', and why says where.
 */
int people_remove(struct people *people, const char *name, const struct owner *by,
                  struct people_removed *ret_removed, struct why *why);

#endif
