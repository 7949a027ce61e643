#include "vps/gateways/kept_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HEX = 2 * CRYPTO_KEY_SIZE };

struct kept_keys {
    struct store *store;
    unsigned count;
    struct kept_key keys[KEPT_KEYS_MAX]; /* a gateway's older one before its newer one */
};

static const char LOAD[] = "SELECT key, gateway, origin, since, until, joined, seen "
                           "FROM gateway_key ORDER BY id";
static const char PUT[] =
    "INSERT INTO gateway_key(key, gateway, origin, since, until, joined, seen)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char DROP[] = "DELETE FROM gateway_key WHERE gateway=?1 AND key<>?2";
static const char TAKE_BACK[] = "DELETE FROM gateway_key WHERE key=?1";
static const char SET_TIMES[] = "UPDATE gateway_key SET until=?2, joined=?3, seen=?4 WHERE key=?1";

/* ---- reading ---------------------------------------------------------------- */

const char *key_origin_name(enum key_origin origin)
{
    static const char *const NAMES[] = {
        [KEY_OF_SETTINGS] = "settings", [KEY_ADDED] = "added", [KEY_PAIRED] = "paired"};
    return NAMES[origin];
}

static enum key_origin origin_of(const char *name)
{
    return strcmp(name, key_origin_name(KEY_PAIRED)) == 0 ? KEY_PAIRED : KEY_ADDED;
}

static unsigned count_gateways(const struct kept_keys *keys)
{
    unsigned count = 0;
    for (unsigned i = 0; i < keys->count; i++) {
        count += kept_keys_find(keys, keys->keys[i].gateway, 0) == (int)i;
    }
    return count;
}

/* Two keys of as many gateways as there may be: each of them can be given another one. */
static bool has_room_for(const struct kept_keys *keys, const char *gateway)
{
    return kept_keys_find(keys, gateway, 0) < 0 ? count_gateways(keys) < GATEWAYS_MAX
                                                : kept_keys_find(keys, gateway, 1) < 0;
}

/* What nobody could have put there is left alone: it lets nobody in. */
static void load(void *arg, const struct row *row)
{
    struct kept_keys *keys = arg;
    struct kept_key key = {.origin = origin_of(row_text(row, 2)),
                           .since = row_number(row, 3),
                           .until = row_number(row, 4),
                           .joined = row_number(row, 5),
                           .seen = row_number(row, 6)};
    const char *name = row_text(row, 1);
    if (gateway_name_is_valid(name) && has_room_for(keys, name) &&
        strlen(row_text(row, 0)) == KEY_HEX &&
        crypto_unhex(row_text(row, 0), key.key, sizeof key.key) == 0) {
        strcpy(key.gateway, name);
        keys->keys[keys->count++] = key;
    }
    crypto_wipe(&key, sizeof key);
}

struct kept_keys *kept_keys_new(struct store *store)
{
    static const struct statement STATEMENT = {LOAD, {{.kind = VALUE_NONE}}};
    struct kept_keys *keys = calloc(1, sizeof *keys);
    if (keys) {
        keys->store = store;
        store_read(store, &STATEMENT, load, keys);
    }
    return keys;
}

void kept_keys_free(struct kept_keys *keys)
{
    if (keys) {
        crypto_wipe(keys, sizeof *keys);
        free(keys);
    }
}

unsigned kept_keys_count(const struct kept_keys *keys)
{
    return keys->count;
}

const struct kept_key *kept_keys_at(const struct kept_keys *keys, unsigned number)
{
    return &keys->keys[number];
}

int kept_keys_find(const struct kept_keys *keys, const char *gateway, unsigned nth)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (gateway_name_equal(keys->keys[i].gateway, gateway) && nth-- == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

/* ---- changing ---------------------------------------------------------------- */

void kept_keys_put(struct kept_keys *keys, const struct kept_key *key)
{
    char hex[KEY_HEX + 1];
    crypto_hex(key->key, sizeof key->key, hex);
    const struct statement statement = {PUT,
                                        {value_text(hex), value_text(key->gateway),
                                         value_text(key_origin_name(key->origin)),
                                         value_number(key->since), value_number(key->until),
                                         value_number(key->joined), value_number(key->seen)}};
    keys->keys[keys->count++] = *key;
    store_write(keys->store, &statement, NULL, NULL);
    crypto_wipe(hex, sizeof hex);
}

static void forget(struct kept_keys *keys, unsigned number)
{
    keys->count--;
    memmove(&keys->keys[number], &keys->keys[number + 1],
            (keys->count - number) * sizeof keys->keys[0]);
    crypto_wipe(&keys->keys[keys->count], sizeof keys->keys[0]);
}

void kept_keys_drop(struct kept_keys *keys, const char *gateway, const uint8_t *but)
{
    char hex[KEY_HEX + 1] = "", name[GATEWAY_NAME_MAX + 1] = "";
    for (unsigned i = keys->count; i-- > 0;) {
        const struct kept_key *key = &keys->keys[i];
        if (gateway_name_equal(key->gateway, gateway) &&
            !(but && crypto_equal(key->key, but, sizeof key->key))) {
            strcpy(name, key->gateway); /* as the file has it */
            forget(keys, i);
        }
    }
    if (but) {
        crypto_hex(but, CRYPTO_KEY_SIZE, hex);
    }
    const struct statement statement = {DROP, {value_text(name), value_text(hex)}};
    store_write(keys->store, &statement, NULL, NULL);
    crypto_wipe(hex, sizeof hex);
}

void kept_keys_take_back(struct kept_keys *keys, const char *gateway, const uint8_t *key)
{
    char hex[KEY_HEX + 1];
    crypto_hex(key, CRYPTO_KEY_SIZE, hex);
    const struct statement statement = {TAKE_BACK, {value_text(hex)}};
    for (unsigned i = keys->count; i-- > 0;) {
        if (gateway_name_equal(keys->keys[i].gateway, gateway) &&
            crypto_equal(keys->keys[i].key, key, CRYPTO_KEY_SIZE)) {
            forget(keys, i);
            store_write(keys->store, &statement, NULL, NULL);
        }
    }
    crypto_wipe(hex, sizeof hex);
}

void kept_keys_set_times(struct kept_keys *keys, unsigned number, int64_t until, int64_t joined,
                         int64_t seen)
{
    struct kept_key *key = &keys->keys[number];
    char hex[KEY_HEX + 1];
    crypto_hex(key->key, sizeof key->key, hex);
    const struct statement statement = {
        SET_TIMES,
        {value_text(hex), value_number(until), value_number(joined), value_number(seen)}};
    key->until = until;
    key->joined = joined;
    key->seen = seen;
    store_write(keys->store, &statement, NULL, NULL);
    crypto_wipe(hex, sizeof hex);
}
