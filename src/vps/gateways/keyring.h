/*
 * keyring: the keys of gateways at work: those in TUNNEL_KEY, and those that were added or paired
 * while vps-agent ran (kept_keys). Which one is a gateway's, and whether it may (still) be used.
 *
 *     its own in TUNNEL_KEY         that one alone: who writes a name there decides about it
 *     else those that are kept      the older and the newer one, until the newer one was used to
 *                                   log in; then the older one is dropped
 *     else the one without a name   in TUNNEL_KEY; also beside a kept one that was never used to
 *                                   log in, so that nobody is locked out by adding it
 *
 * A key with a time has to be shown once before that; then the state file remembers it, and the
 * time is of no account any more, whatever the clock says.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_KEYRING_H
#define PAMTUNNEL_VPS_GATEWAYS_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "vps/gateways/kept_keys.h"
#include "vps/settings/settings.h"
#include "vps/store/store.h"

struct keyring;

/* The settings and the store outlive it; store may be NULL. NULL: out of memory. */
struct keyring *keyring_new(const struct vps_settings *settings, struct store *store);
/* Wipes the keys. Accepts NULL. */
void keyring_free(struct keyring *keyring);

/* ---- at a login ----------------------------------------------------------------- */

/*
 * The number of the nth key that a gateway of that name may show (nth < TLS_KEYS_PER_NAME), or
 * -ENOENT. Numbers are good until keys or settings change.
 */
int keyring_find(const struct keyring *keyring, const char *gateway, unsigned nth);
/*
 * A gateway has shown the key of that number, which it may have: 0, or -EKEYEXPIRED if that is too
 * late.
 */
int keyring_use(struct keyring *keyring, int number);
/* And has logged in with it: an older one of the gateway's is dropped, which *ret_dropped says. */
void keyring_joined(struct keyring *keyring, int number, bool *ret_dropped);
/* A gateway of that name has gone. */
void keyring_left(struct keyring *keyring, const char *gateway);

/* ---- other keys ------------------------------------------------------------------ */

/* A key for a gateway. */
struct keyring_entry {
    const char *gateway;
    const uint8_t *key; /* of CRYPTO_KEY_SIZE bytes; copied */
    enum key_origin origin;
    int64_t until; /* it has to be used before, Unix time; 0: whenever */
};

/*
 * For a gateway that has none of its own: 0, or with a sentence in why -EINVAL (its name, or
 * another gateway's key), -EEXIST (it has one), -EPERM (it has one in TUNNEL_KEY), -ENOSPC.
 * It is on its way to the file then, in front of whatever is recorded or written next.
 */
int keyring_add(struct keyring *keyring, const struct keyring_entry *entry, struct why *why);
/*
 * Another key for a gateway that has one here: that one stays good until its gateway has logged in
 * with this one. What was begun like this before is begun anew. -ENOENT if it has none; else as
 * keyring_add().
 */
int keyring_rotate(struct keyring *keyring, const struct keyring_entry *entry, struct why *why);
/* Drops that key of a gateway's alone, if it is kept here. */
void keyring_take_back(struct keyring *keyring, const char *gateway, const uint8_t *key);
/* Drops what a gateway has here. 0, -ENOENT, or -EPERM with why: it is in TUNNEL_KEY alone. */
int keyring_remove(struct keyring *keyring, const char *gateway, struct why *why);

/* ---- looking --------------------------------------------------------------------- */

/*
 * Gateways of several names have logged in with the key that they share, also before a
 * restart: keyring_note_shared() has been told so.
 */
bool keyring_is_shared(const struct keyring *keyring);
void keyring_note_shared(struct keyring *keyring);

/* There is a key with which a gateway of that name might log in; "": any gateway. */
bool keyring_has(const struct keyring *keyring, const char *gateway);
/* There is one that is its own. */
bool keyring_has_own(const struct keyring *keyring, const char *gateway);
/* And it was used, or has no time to be used in: its gateway should be there. */
bool keyring_is_in_use(const struct keyring *keyring, const char *gateway);
/* Gateways with keys of their own, and one for whatever others there may be. */
unsigned keyring_count(const struct keyring *keyring);

struct keyring_view {
    const char *gateway; /* "": the one that gateways share */
    const uint8_t *key;
    enum key_origin origin;
    int64_t until; /* of the first use; 0: whenever, of a kept one also: it was in time */
    bool used;     /* in time, so it does not expire any more */
    bool expired;  /* it is not, and cannot be any more */
    /* Of kept ones: */
    int64_t since, joined, seen; /* Unix time; 0: never */
    bool replaces;               /* the one before it is good until it was used */
    bool idle;                   /* TUNNEL_KEY has one for this gateway, and that one counts */
};
/* False if there is no such number; they begin with 0. */
bool keyring_view(const struct keyring *keyring, unsigned number, struct keyring_view *ret_view);
/* Names of gateways with keys of their own, each once. *at is 0 for the first. NULL at the end. */
const char *keyring_next_name(const struct keyring *keyring, unsigned *at);

/* What tells keys apart and does not show them; dst takes KEYRING_ID_MAX. Returns dst. */
enum { KEYRING_ID_MAX = 33 };
char *keyring_id(const uint8_t key[CRYPTO_KEY_SIZE], char *dst);
/* A gateway of that name that logged in with the key of that id still may. */
bool keyring_accepts(const struct keyring *keyring, const char *gateway, const char *id);

#endif
