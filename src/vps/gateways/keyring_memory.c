/*
 * What the state file knows of the keys in TUNNEL_KEY: which of those with a time have been used,
 * and which of those without a name are of several gateways. It knows them by their ids.
 */
#include <string.h>

#include "base/clock.h"
#include "vps/gateways/keyring_core.h"

/* Those that came last, in the order in which they came: remember() drops the first. */
static const char LOAD[] =
    "SELECT key FROM (SELECT key, at FROM joined ORDER BY at DESC LIMIT 256) "
    "ORDER BY at";
static const char KEEP[] = "INSERT INTO joined(key, gateway, at) VALUES(?1, ?2, ?3) "
                           "ON CONFLICT(key) DO UPDATE SET gateway=?2, at=?3";
static const char LOAD_SHARED[] = "SELECT key FROM (SELECT key, at FROM shared ORDER BY at DESC "
                                  "LIMIT 8) ORDER BY at";
static const char KEEP_SHARED[] = "INSERT OR REPLACE INTO shared(key, at) VALUES(?1, ?2)";

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

void keyring_memory_load(struct keyring *keyring)
{
    static const struct statement STATEMENT = {LOAD, {{.kind = VALUE_NONE}}};
    static const struct statement SHARED = {LOAD_SHARED, {{.kind = VALUE_NONE}}};
    store_read(keyring->store, &STATEMENT, load, keyring);
    store_read(keyring->store, &SHARED, load_shared, keyring);
}

bool keyring_is_used(const struct keyring *keyring, const struct gateway_key *key)
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
void keyring_remember(struct keyring *keyring, const struct gateway_key *key)
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
