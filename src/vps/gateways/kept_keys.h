/*
 * kept_keys: the keys of gateways that STATE_DIR/state.db holds: of those that were added or paired
 * while vps-agent ran. A gateway has one, or two while the newer one has not replaced the older one
 * yet. Which of them lets it in, and beside which others, is keyring's to say.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_KEPT_KEYS_H
#define PAMTUNNEL_VPS_GATEWAYS_KEPT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "shared/gateway_name.h"
#include "vps/settings/key_list.h"
#include "vps/store/store.h"

enum { KEPT_KEYS_MAX = 2 * GATEWAYS_MAX };

/* How a key came about; in the file by name. */
enum key_origin { KEY_OF_SETTINGS, KEY_ADDED, KEY_PAIRED };
/* "settings", "added", "paired". */
const char *key_origin_name(enum key_origin origin);

struct kept_key {
    char gateway[GATEWAY_NAME_MAX + 1];
    uint8_t key[CRYPTO_KEY_SIZE];
    enum key_origin origin;
    int64_t since;  /* all are Unix time */
    int64_t until;  /* its first use has to come before; 0: whenever, or it did */
    int64_t joined; /* its first login; 0: none yet */
    int64_t seen;   /* when its gateway came or went last; 0: never */
};

struct kept_keys;

/* Reads them. The store may be NULL, and outlives it. NULL: out of memory. */
struct kept_keys *kept_keys_new(struct store *store);
/* Wipes them. Accepts NULL. */
void kept_keys_free(struct kept_keys *keys);

unsigned kept_keys_count(const struct kept_keys *keys);
const struct kept_key *kept_keys_at(const struct kept_keys *keys, unsigned number);
/* The number of the nth of that gateway's, the older one first, or -ENOENT. */
int kept_keys_find(const struct kept_keys *keys, const char *gateway, unsigned nth);

/* Takes one more, for which there has to be room. */
void kept_keys_put(struct kept_keys *keys, const struct kept_key *key);
/* Drops that gateway's, but for the one that is like `but` (NULL: all). */
void kept_keys_drop(struct kept_keys *keys, const char *gateway, const uint8_t *but);
/* Drops that one of the gateway's alone. */
void kept_keys_take_back(struct kept_keys *keys, const char *gateway, const uint8_t *key);
/* The times of that number are others now. */
void kept_keys_set_times(struct kept_keys *keys, unsigned number, int64_t until, int64_t joined,
                         int64_t seen);

#endif
