#include "vps/setup/keys.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"
#include "base/text.h"

int keys_read(struct keys *keys, const char *text, struct why *why)
{
    static const struct vps_settings NONE;
    struct vps_settings settings = NONE;
    *keys = (struct keys){0};
    int err = text[0] ? vps_settings_take("TUNNEL_KEY", text, &settings, why) : 0;
    if (err == 0) {
        memcpy(keys->keys, settings.tunnel_key.keys, sizeof keys->keys);
        keys->count = settings.tunnel_key.count;
    }
    vps_settings_wipe(&settings);
    return err;
}

void keys_write(const struct keys *keys, char ret_text[SETTING_VALUE_MAX])
{
    struct text text = text_over(ret_text, SETTING_VALUE_MAX);
    for (unsigned i = 0; i < keys->count; i++) {
        const struct gateway_key *key = &keys->keys[i];
        char hex[2 * CRYPTO_KEY_SIZE + 1];
        crypto_hex(key->key, sizeof key->key, hex);
        text_add(&text, "%s%s%s%s", i ? "," : "", key->name, key->name[0] ? ":" : "", hex);
        crypto_wipe(hex, sizeof hex);
    }
}

void keys_wipe(struct keys *keys)
{
    crypto_wipe(keys, sizeof *keys);
}

/* A key without a name is every gateway's. */
static struct gateway_key *find(struct keys *keys, const char *gateway)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (!keys->keys[i].name[0] || strcasecmp(keys->keys[i].name, gateway) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

int keys_for(struct keys *keys, const char *gateway, bool renew, const struct gateway_key **ret_key,
             struct why *why)
{
    struct gateway_key *key = find(keys, gateway);
    if (!gateway_name_is_valid(gateway)) {
        return why_set(why, -EINVAL,
                       "\"%.80s\" is no name for a gateway: 1 to 63 letters, digits, dots, hyphens "
                       "or underscores",
                       gateway);
    }
    if (!key && keys->count == GATEWAYS_MAX) {
        return why_set(why, -ENOSPC, "TUNNEL_KEY has the keys of %d gateways: take one out",
                       GATEWAYS_MAX);
    }
    if (!key) {
        key = &keys->keys[keys->count++];
        memcpy(key->name, gateway, strlen(gateway) + 1);
        renew = true;
    }
    if (renew) {
        int err = crypto_random(key->key, sizeof key->key);
        if (err < 0) {
            return why_set(why, err, "the kernel has no random numbers");
        }
        keys->changed = true;
    }
    *ret_key = key;
    return 0;
}
