/*
 * known: the addresses from which users are let in without asking, because a person
 * admitted them there. An address is its party's: an IPv6 one stands for its /64. Entries
 * live in the state file, and expire when they were not used for KNOWN_DAYS.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_KNOWN_H
#define PAMTUNNEL_VPS_ADMISSION_KNOWN_H

#include <stdbool.h>

#include "base/net.h"
#include "vps/grant/owner.h"
#include "vps/store/store.h"

/* Of all, and of one owner: the one that was not used for the longest time makes room. */
enum { KNOWN_MAX = 512, KNOWN_OWNER_MAX = 64, KNOWN_PARTY_MAX = INET6_ADDRSTRLEN + 3 };

struct known;

struct known_view {
    struct owner owner;
    char party[KNOWN_PARTY_MAX]; /* "203.0.113.7", "2001:db8:1:2::/64" */
    struct owner admitted_by;
    int64_t since_unix; /* when it was admitted first */
    int64_t used_unix;
    int64_t until_unix;
};

/* Reads what is kept. NULL when out of memory. store (may be NULL) outlives it. */
struct known *known_new(struct store *store, long days);
/* How long entries last from now on, after they were used. */
void known_set_days(struct known *known, long days);
/* Accepts NULL. */
void known_free(struct known *known);
/* A person admitted the owner there. */
void known_add(struct known *known, const struct owner *owner, const struct owner *by,
               const struct addr *addr);
/* The owner came from there again. Does not make an address known. */
void known_use(struct known *known, const struct owner *owner, const struct addr *addr);
bool known_has(const struct known *known, const struct owner *owner, const struct addr *addr);
/* Its whole party, of one owner or (NULL) of all. Returns how many entries went. */
unsigned known_forget(struct known *known, const struct owner *owner, const struct addr *addr);
/* The one at place `at`, the last used first; *at is moved on. False at the end. */
bool known_next(const struct known *known, unsigned *at, struct known_view *ret_view);

#endif
