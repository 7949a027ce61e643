#include "vps/gateways/keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { USED_MAX = 256, SHARED_MAX = 8 }; /* and in LOAD and LOAD_SHARED */

struct keyring {
    const struct vps_settings *settings;
    struct store *store;
    unsigned count;
    char used[USED_MAX][KEYRING_ID_MAX]; /* those with a time */
    unsigned shared_count;
    char shared[SHARED_MAX][KEYRING_ID_MAX]; /* by several names, without one; the latest last */
};

/* Those that came last, in the order in which they came: remember() drops the first. */
static const char LOAD[] =
    "SELECT key FROM (SELECT key, at FROM joined ORDER BY at DESC LIMIT 256) "
    "ORDER BY at";
static const char KEEP[] = "INSERT INTO joined(key, gateway, at) VALUES(?1, ?2, ?3) "
                           "ON CONFLICT(key) DO UPDATE SET gateway=?2, at=?3";
static const char LOAD_SHARED[] = "SELECT key FROM (SELECT key, at FROM shared ORDER BY at DESC "
                                  "LIMIT 8) ORDER BY at";
static const char KEEP_SHARED[] = "INSERT OR REPLACE INTO shared(key, at) VALUES(?1, ?2)";

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

/* ---- which have been used ------------------------------------------------- */

static void load(void *arg, const struct row *row)
{
    struct keyring *keyring = arg;
    const char *id = row_text(row, 0);
    if (keyring->count < USED_MAX && strlen(id) == KEYRING_ID_MAX - 1) {
        memcpy(keyring->used[keyring->count++], id, KEYRING_ID_MAX);
    }
}

static void load_shared(void *arg, const struct row *row)
{
    struct keyring *keyring = arg;
    const char *id = row_text(row, 0);
    if (keyring->shared_count < SHARED_MAX && strlen(id) == KEYRING_ID_MAX - 1) {
        memcpy(keyring->shared[keyring->shared_count++], id, KEYRING_ID_MAX);
    }
}

struct keyring *keyring_new(const struct vps_settings *settings, struct store *store)
{
    static const struct statement STATEMENT = {LOAD, {{.kind = VALUE_NONE}}};
    static const struct statement SHARED = {LOAD_SHARED, {{.kind = VALUE_NONE}}};
    struct keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring) {
        keyring->settings = settings;
        keyring->store = store;
        store_read(store, &STATEMENT, load, keyring);
        store_read(store, &SHARED, load_shared, keyring);
    }
    return keyring;
}

void keyring_free(struct keyring *keyring)
{
    free(keyring);
}

static bool is_used(const struct keyring *keyring, const struct gateway_key *key)
{
    char id[KEYRING_ID_MAX];
    keyring_id(key->key, id);
    for (unsigned i = 0; i < keyring->count; i++) {
        if (strcmp(keyring->used[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* Of very many keys the ones that came last are remembered here; the file has them all. */
static void remember(struct keyring *keyring, const struct gateway_key *key)
{
    char id[KEYRING_ID_MAX];
    const struct statement statement = {
        KEEP,
        {value_text(keyring_id(key->key, id)), value_text(key->name), value_number(clock_unix())}};
    if (keyring->count == USED_MAX) {
        memmove(keyring->used[0], keyring->used[1], (USED_MAX - 1) * sizeof keyring->used[0]);
        keyring->count--;
    }
    memcpy(keyring->used[keyring->count++], id, sizeof id);
    store_write(keyring->store, &statement, NULL, NULL);
}

/* ---- finding and using ---------------------------------------------------- */

int keyring_find(const struct keyring *keyring, const char *gateway)
{
    const struct gateway_key *key = key_list_find(&keyring->settings->tunnel_key, gateway);
    return key ? (int)(key - keyring->settings->tunnel_key.keys) : -ENOENT;
}

int keyring_use(struct keyring *keyring, int number)
{
    const struct gateway_key *key = &keyring->settings->tunnel_key.keys[number];
    if (key->until == 0 || is_used(keyring, key)) {
        return 0;
    }
    /* Only unused keys expire; the clock has no say over a gateway that has logged in once. */
    if (clock_unix() >= key->until) {
        return -EKEYEXPIRED;
    }
    remember(keyring, key);
    return 0;
}

/* ---- who share one ---------------------------------------------------------- */

/* False if there is no key without a name. */
static bool find_shared(const struct keyring *keyring, char id[KEYRING_ID_MAX])
{
    const struct gateway_key *key = key_list_find(&keyring->settings->tunnel_key, "");
    if (key) {
        keyring_id(key->key, id);
    }
    return key != NULL;
}

bool keyring_is_shared(const struct keyring *keyring)
{
    char id[KEYRING_ID_MAX];
    bool found = false;
    if (keyring->shared_count > 0 && find_shared(keyring, id)) {
        for (unsigned i = 0; i < keyring->shared_count; i++) {
            found = found || strcmp(keyring->shared[i], id) == 0;
        }
    }
    return found;
}

void keyring_note_shared(struct keyring *keyring)
{
    char id[KEYRING_ID_MAX];
    /* Once is enough: it does not become unshared, see gateways_are_several(). */
    if (!find_shared(keyring, id) || keyring_is_shared(keyring)) {
        return;
    }
    const struct statement statement = {KEEP_SHARED, {value_text(id), value_number(clock_unix())}};
    if (keyring->shared_count == SHARED_MAX) {
        memmove(keyring->shared[0], keyring->shared[1],
                (SHARED_MAX - 1) * sizeof keyring->shared[0]);
        keyring->shared_count--;
    }
    memcpy(keyring->shared[keyring->shared_count++], id, sizeof id);
    store_write(keyring->store, &statement, NULL, NULL);
}

bool keyring_view(const struct keyring *keyring, unsigned number, struct keyring_view *ret_view)
{
    if (number >= keyring->settings->tunnel_key.count) {
        return false;
    }
    const struct gateway_key *key = &keyring->settings->tunnel_key.keys[number];
    /* Without a time nobody asks, so that is not remembered. */
    bool used = key->until > 0 && is_used(keyring, key);
    *ret_view = (struct keyring_view){
        .gateway = key->name,
        .key = key->key,
        .until = key->until,
        .used = used,
        .expired = key->until > 0 && !used && clock_unix() >= key->until,
    };
    return true;
}
