/*
 * members: who was let in through an invitation, in STATE_DIR/state.db: an account, and whose it
 * is. What that is worth, beside the policy or ALLOWED_USERS, is people's to say.
 */
#ifndef PAMTUNNEL_VPS_PEOPLE_MEMBERS_H
#define PAMTUNNEL_VPS_PEOPLE_MEMBERS_H

#include <stdint.h>

#include "vps/grant/owner.h"
#include "vps/store/store.h"

enum { MEMBERS_MAX = 256, MEMBER_NAME_MAX = 63 };

struct member {
    struct owner account;
    char name[MEMBER_NAME_MAX + 1];
    int64_t since; /* Unix time */
    struct owner by;
};

struct members;

/* NULL when out of memory. Nobody is in it, and nothing is kept, before members_load(). */
struct members *members_new(void);
/* Reads them. The store is not started yet, and outlives them. */
void members_load(struct members *members, struct store *store);
/* Accepts NULL. */
void members_free(struct members *members);

unsigned members_count(const struct members *members);
const struct member *members_at(const struct members *members, unsigned number);
/* Whose account it is. NULL: nobody's. */
const struct member *members_of(const struct members *members, const struct owner *account);
/* The first one of that name, whatever its capitals. NULL: none. */
const struct member *members_named(const struct members *members, const char *name);

/* -ENOSPC if there are too many. One with that account is replaced. */
int members_put(struct members *members, const struct member *member);
void members_drop(struct members *members, const struct owner *account);

#endif
