/* Keys that come and go while vps-agent runs. Those of TUNNEL_KEY are for the env file alone. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "vps/gateways/keyring_core.h"

/* ---- what may be taken ----------------------------------------------------------- */

static int check_name(const struct keyring *keyring, const char *gateway, struct why *why)
{
    if (!gateway_name_is_valid(gateway)) {
        return why_set(why, -EINVAL,
                       "A gateway's name is 1 to %d letters, digits, dots, hyphens or underscores, "
                       "and begins with a letter or a digit.",
                       GATEWAY_NAME_MAX);
    }
    if (keyring_own_in_settings(keyring, gateway)) {
        return why_set(
            why, -EPERM,
            "The key of %s is in TUNNEL_KEY, so it is changed there: vps-agent --invite %s "
            "--new-key makes a new one.",
            gateway, gateway);
    }
    return 0;
}

/* No key is of two gateways: see check_keys() of key_list. */
static int check_key(const struct keyring *keyring, const uint8_t *key, struct why *why)
{
    struct keyring_view view;
    for (unsigned i = 0; keyring_view(keyring, i, &view); i++) {
        if (crypto_equal(view.key, key, CRYPTO_KEY_SIZE)) {
            return why_set(why, -EINVAL, "That key is another one's already (%s).",
                           view.gateway[0] ? view.gateway : "the one without a name");
        }
    }
    return 0;
}

static int check_room(const struct keyring *keyring, struct why *why)
{
    if (keyring_count(keyring) < GATEWAYS_MAX && kept_keys_count(keyring->kept) < KEPT_KEYS_MAX) {
        return 0;
    }
    return why_set(why, -ENOSPC,
                   "There are %d gateways already, which is the limit; pamctl gateway remove NAME "
                   "makes room.",
                   GATEWAYS_MAX);
}

static int check_entry(const struct keyring *keyring, const struct keyring_entry *entry,
                       struct why *why)
{
    int err = check_name(keyring, entry->gateway, why);
    return err < 0 ? err : check_key(keyring, entry->key, why);
}

/* ---- changing -------------------------------------------------------------------- */

/* What comes after the checks succeeds: without a file the key is good until the agent ends. */
static void put(struct keyring *keyring, const struct keyring_entry *entry)
{
    struct kept_key key = {.origin = entry->origin, .since = clock_unix(), .until = entry->until};
    strcpy(key.gateway, entry->gateway);
    memcpy(key.key, entry->key, sizeof key.key);
    kept_keys_put(keyring->kept, &key);
    crypto_wipe(&key, sizeof key);
}

int keyring_add(struct keyring *keyring, const struct keyring_entry *entry, struct why *why)
{
    int err = check_entry(keyring, entry, why);
    if (err == 0 && kept_keys_find(keyring->kept, entry->gateway, 0) >= 0) {
        err = why_set(why, -EEXIST,
                      "%s has a key already; pamctl gateway rotate %s replaces it, and prints a "
                      "new join string.",
                      entry->gateway, entry->gateway);
    }
    err = err < 0 ? err : check_room(keyring, why);
    if (err == 0) {
        put(keyring, entry);
    }
    return err;
}

/* One that nobody has logged in with is of no use any more: what was waiting for it gets this. */
static void make_way(struct keyring *keyring, const char *gateway)
{
    int at = kept_keys_find(keyring->kept, gateway, 0);
    struct kept_key key = *kept_keys_at(keyring->kept, (unsigned)at);
    kept_keys_drop(keyring->kept, gateway, key.joined ? key.key : NULL);
    crypto_wipe(&key, sizeof key);
}

int keyring_rotate(struct keyring *keyring, const struct keyring_entry *entry, struct why *why)
{
    int err = check_entry(keyring, entry, why);
    if (err == 0 && kept_keys_find(keyring->kept, entry->gateway, 0) < 0) {
        err = why_set(why, -ENOENT,
                      "There is no gateway %s whose key could be replaced; pamctl gateway add %s "
                      "adds one.",
                      entry->gateway, entry->gateway);
    }
    if (err == 0) {
        make_way(keyring, entry->gateway);
        put(keyring, entry);
    }
    return err;
}

void keyring_take_back(struct keyring *keyring, const char *gateway, const uint8_t *key)
{
    kept_keys_take_back(keyring->kept, gateway, key);
}

int keyring_remove(struct keyring *keyring, const char *gateway, struct why *why)
{
    if (kept_keys_find(keyring->kept, gateway, 0) >= 0) {
        kept_keys_drop(keyring->kept, gateway, NULL);
        return 0;
    }
    if (!gateway_name_is_valid(gateway)) {
        return check_name(keyring, gateway, why);
    }
    if (keyring_own_in_settings(keyring, gateway)) {
        return why_set(why, -EPERM,
                       "The key of %s is in TUNNEL_KEY: take it out there, and run pamctl reload.",
                       gateway);
    }
    bool shared = keyring_has(keyring, gateway);
    return why_set(why, -ENOENT,
                   shared ? "%s has no key of its own: it logs in with the key in TUNNEL_KEY that "
                            "has no name, as others may."
                          : "There is no gateway %s; pamctl gateway list shows those that there "
                            "are.",
                   gateway);
}
