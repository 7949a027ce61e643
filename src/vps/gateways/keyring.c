/*
 * Keys are numbered: first those of TUNNEL_KEY, in its order, then those that are kept. Nothing
 * here is called back but what is handed on to the store, so nothing changes while it is looked at.
 */
#include "vps/gateways/keyring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vps/gateways/keyring_core.h"

char *keyring_id(const uint8_t key[CRYPTO_KEY_SIZE], char *dst)
{
    /* With a purpose in it, so that it proves nothing anywhere else. */
    static const char PURPOSE[] = "pamtunnel: which key";
    const struct crypto_piece piece = {PURPOSE, sizeof PURPOSE - 1};
    uint8_t mac[CRYPTO_MAC_SIZE] = {0};
    crypto_mac(key, &piece, 1, mac);
    crypto_hex(mac, (KEYRING_ID_MAX - 1) / 2, dst);
    return dst;
}

struct keyring *keyring_new(const struct vps_settings *settings, struct store *store)
{
    struct keyring *keyring = calloc(1, sizeof *keyring);
    if (!keyring) {
        return NULL;
    }
    keyring->settings = settings;
    keyring->store = store;
    keyring->kept = kept_keys_new(store);
    if (!keyring->kept) {
        keyring_free(keyring);
        return NULL;
    }
    keyring_memory_load(keyring);
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    if (keyring) {
        kept_keys_free(keyring->kept);
        free(keyring);
    }
}

/* ---- finding -------------------------------------------------------------------- */

static int number_of(const struct keyring *keyring, const struct gateway_key *key)
{
    return key ? (int)(key - keyring->settings->tunnel_key.keys) : -ENOENT;
}

const struct gateway_key *keyring_own_in_settings(const struct keyring *keyring,
                                                  const char *gateway)
{
    const struct gateway_key *key = key_list_find(&keyring->settings->tunnel_key, gateway);
    return key && key->name[0] ? key : NULL;
}

static const struct kept_key *kept_at(const struct keyring *keyring, int number)
{
    return kept_keys_at(keyring->kept, (unsigned)number - keyring->settings->tunnel_key.count);
}

static bool is_kept(const struct keyring *keyring, int number)
{
    return (unsigned)number >= keyring->settings->tunnel_key.count;
}

/* -ENOENT if TUNNEL_KEY has none without a name. */
static int find_shared(const struct keyring *keyring)
{
    return number_of(keyring, key_list_find(&keyring->settings->tunnel_key, ""));
}

int keyring_find(const struct keyring *keyring, const char *gateway, unsigned nth)
{
    const struct gateway_key *own = keyring_own_in_settings(keyring, gateway);
    int first = kept_keys_find(keyring->kept, gateway, 0);
    int kept = kept_keys_find(keyring->kept, gateway, nth);
    if (own) {
        return nth == 0 ? number_of(keyring, own) : -ENOENT;
    }
    if (kept >= 0) {
        return kept + (int)keyring->settings->tunnel_key.count;
    }
    bool may_share = first < 0 ? nth == 0
                               : nth == 1 && !kept_keys_at(keyring->kept, (unsigned)first)->joined;
    return may_share ? find_shared(keyring) : -ENOENT;
}

bool keyring_has(const struct keyring *keyring, const char *gateway)
{
    return gateway[0] ? keyring_find(keyring, gateway, 0) >= 0 : keyring_count(keyring) > 0;
}

bool keyring_has_own(const struct keyring *keyring, const char *gateway)
{
    return keyring_own_in_settings(keyring, gateway) ||
           kept_keys_find(keyring->kept, gateway, 0) >= 0;
}

bool keyring_is_in_use(const struct keyring *keyring, const char *gateway)
{
    const struct gateway_key *own = keyring_own_in_settings(keyring, gateway);
    int kept = kept_keys_find(keyring->kept, gateway, 0);
    return own ? own->until == 0 || keyring_is_used(keyring, own)
               : kept >= 0 && kept_keys_at(keyring->kept, (unsigned)kept)->joined > 0;
}

bool keyring_accepts(const struct keyring *keyring, const char *gateway, const char *id)
{
    struct keyring_view view;
    int number;
    for (unsigned nth = 0; (number = keyring_find(keyring, gateway, nth)) >= 0; nth++) {
        char other[KEYRING_ID_MAX];
        keyring_view(keyring, (unsigned)number, &view);
        if (strcmp(keyring_id(view.key, other), id) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- using ---------------------------------------------------------------------- */

/* Only unused keys expire; the clock has no say over a gateway that has logged in once. */
static int use_of_settings(struct keyring *keyring, const struct gateway_key *key)
{
    if (key->until == 0 || keyring_is_used(keyring, key)) {
        return 0;
    }
    if (clock_unix() >= key->until) {
        return -EKEYEXPIRED;
    }
    keyring_remember(keyring, key);
    return 0;
}

static int use_kept(struct keyring *keyring, unsigned at)
{
    const struct kept_key *key = kept_keys_at(keyring->kept, at);
    if (key->until == 0) {
        return 0;
    }
    if (clock_unix() >= key->until) {
        return -EKEYEXPIRED;
    }
    kept_keys_set_times(keyring->kept, at, 0, key->joined, key->seen);
    return 0;
}

int keyring_use(struct keyring *keyring, int number)
{
    return is_kept(keyring, number)
               ? use_kept(keyring, (unsigned)number - keyring->settings->tunnel_key.count)
               : use_of_settings(keyring, &keyring->settings->tunnel_key.keys[number]);
}

void keyring_joined(struct keyring *keyring, int number, bool *ret_dropped)
{
    *ret_dropped = false;
    if (!is_kept(keyring, number)) {
        return;
    }
    struct kept_key key = *kept_at(keyring, number);
    int64_t now = clock_unix();
    unsigned at = (unsigned)number - keyring->settings->tunnel_key.count;
    kept_keys_set_times(keyring->kept, at, 0, key.joined ? key.joined : now, now);
    if (kept_keys_find(keyring->kept, key.gateway, 1) == (int)at) {
        kept_keys_drop(keyring->kept, key.gateway, key.key);
        *ret_dropped = true;
    }
    crypto_wipe(&key, sizeof key);
}

void keyring_left(struct keyring *keyring, const char *gateway)
{
    int at = kept_keys_find(keyring->kept, gateway, 0);
    if (at < 0 || keyring_own_in_settings(keyring, gateway)) {
        return;
    }
    const struct kept_key *key = kept_keys_at(keyring->kept, (unsigned)at);
    if (key->joined) {
        kept_keys_set_times(keyring->kept, (unsigned)at, key->until, key->joined, clock_unix());
    }
}

/* ---- looking -------------------------------------------------------------------- */

static void view_of_settings(const struct keyring *keyring, const struct gateway_key *key,
                             struct keyring_view *ret_view)
{
    /* Without a time nobody asks, so that is not remembered. */
    bool used = key->until > 0 && keyring_is_used(keyring, key);
    *ret_view = (struct keyring_view){
        .gateway = key->name,
        .key = key->key,
        .origin = KEY_OF_SETTINGS,
        .until = key->until,
        .used = used,
        .expired = key->until > 0 && !used && clock_unix() >= key->until,
    };
}

static void view_of_kept(const struct keyring *keyring, unsigned at, struct keyring_view *ret_view)
{
    const struct kept_key *key = kept_keys_at(keyring->kept, at);
    *ret_view = (struct keyring_view){
        .gateway = key->gateway,
        .key = key->key,
        .origin = key->origin,
        .until = key->until,
        .used = key->joined > 0,
        .expired = key->until > 0 && clock_unix() >= key->until,
        .since = key->since,
        .joined = key->joined,
        .seen = key->seen,
        .replaces = kept_keys_find(keyring->kept, key->gateway, 1) == (int)at,
        .idle = keyring_own_in_settings(keyring, key->gateway) != NULL,
    };
}

bool keyring_view(const struct keyring *keyring, unsigned number, struct keyring_view *ret_view)
{
    const struct key_list *list = &keyring->settings->tunnel_key;
    if (number < list->count) {
        view_of_settings(keyring, &list->keys[number], ret_view);
        return true;
    }
    if (number - list->count < kept_keys_count(keyring->kept)) {
        view_of_kept(keyring, number - list->count, ret_view);
        return true;
    }
    return false;
}

const char *keyring_next_name(const struct keyring *keyring, unsigned *at)
{
    struct keyring_view view;
    while (keyring_view(keyring, (*at)++, &view)) {
        if (view.gateway[0] && !view.replaces && !view.idle) {
            return view.gateway;
        }
    }
    (*at)--; /* stays at the end */
    return NULL;
}

unsigned keyring_count(const struct keyring *keyring)
{
    unsigned count = find_shared(keyring) >= 0, at = 0;
    while (keyring_next_name(keyring, &at)) {
        count++;
    }
    return count;
}
