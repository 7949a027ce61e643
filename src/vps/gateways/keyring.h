/*
 * keyring: the keys in TUNNEL_KEY at work: which one is a gateway's, and whether it may
 * (still) be used. One with a time has to be shown once before that; then STATE_DIR/state.db
 * remembers it, and the time is of no account any more, whatever the clock says.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_KEYRING_H
#define PAMTUNNEL_VPS_GATEWAYS_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/settings/settings.h"
#include "vps/store/store.h"

struct keyring;

/* The settings and the store outlive it; store may be NULL. NULL: out of memory. */
struct keyring *keyring_new(const struct vps_settings *settings, struct store *store);
/* Accepts NULL. */
void keyring_free(struct keyring *keyring);

/*
 * The number of a gateway's key, or -ENOENT: its own, or else the one without a name, which
 * all share that have none.
 */
int keyring_find(const struct keyring *keyring, const char *gateway);
/* A gateway has shown the key of that number: 0, or -EKEYEXPIRED if that is too late. */
int keyring_use(struct keyring *keyring, int number);

/*
 * Gateways of several names have logged in with the key that they share, also before a
 * restart: keyring_note_shared() has been told so.
 */
bool keyring_is_shared(const struct keyring *keyring);
void keyring_note_shared(struct keyring *keyring);

struct keyring_view {
    const char *gateway; /* "": the one that gateways share */
    const uint8_t *key;
    int64_t until; /* of the first use; 0: whenever */
    bool used;     /* in time, so it does not expire any more */
    bool expired;  /* it is not, and cannot be any more */
};
/* False if there is no such number; they begin with 0. */
bool keyring_view(const struct keyring *keyring, unsigned number, struct keyring_view *ret_view);

/* What tells keys apart and does not show them; dst takes KEYRING_ID_MAX. Returns dst. */
enum { KEYRING_ID_MAX = 33 };
char *keyring_id(const uint8_t key[CRYPTO_KEY_SIZE], char *dst);

#endif
