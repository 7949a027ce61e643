/*
 * invitations: links that were made for people, in STATE_DIR/state.db. A link holds a token, of
 * which only the hash is kept: whoever reads the file cannot use it. It is good for an hour, and
 * for the one account that opens it first: a link that went to the wrong person lets nobody else
 * ask, and one that was opened before a restart can be opened again.
 */
#ifndef PAMTUNNEL_VPS_PEOPLE_INVITATIONS_H
#define PAMTUNNEL_VPS_PEOPLE_INVITATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "vps/grant/owner.h"
#include "vps/people/members.h"
#include "vps/store/store.h"

enum {
    INVITATIONS_MAX = 32,
    INVITATION_VALID_S = 3600,
    INVITATION_TOKEN_LEN = 26, /* letters of 5 bits: 130 bits */
    INVITATION_TOKEN_SIZE = INVITATION_TOKEN_LEN + 1,
};

struct invitation {
    uint8_t hash[CRYPTO_HASH_SIZE];
    char name[MEMBER_NAME_MAX + 1];
    int64_t until; /* Unix time */
    struct owner by;
    bool is_opened;
    struct owner opened_by;
};

struct invitations;

/* As members_new(), members_load() and members_free(). */
struct invitations *invitations_new(void);
void invitations_load(struct invitations *invitations, struct store *store);
void invitations_free(struct invitations *invitations);

/* Those that are still good, one after the other; *at is 0 for the first. NULL at the end. */
const struct invitation *invitations_next(const struct invitations *invitations, unsigned *at);

/*
 * Makes one for this name; an earlier one for it is good for nothing any more. token takes
 * INVITATION_TOKEN_SIZE, and is to be wiped. -ENOSPC, or -errno: no random numbers.
 */
int invitations_make(struct invitations *invitations, const char *name, const struct owner *by,
                     char *ret_token, int64_t *ret_until);
/*
 * This account has opened the link with that token, which is its own from now on. NULL: there is
 * none, or it is too old, or somebody else's. Lives until the next change.
 */
const struct invitation *invitations_open(struct invitations *invitations, const char *token,
                                          const struct owner *account);
/* The one for this name is still good, and this account has opened it. */
bool invitations_are_opened_by(const struct invitations *invitations, const char *name,
                               const struct owner *account);
/* Those for this name, whatever its capitals, are good for nothing any more. Returns how many. */
unsigned invitations_drop(struct invitations *invitations, const char *name);

#endif
