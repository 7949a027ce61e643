/*
 * TUNNEL_KEY as --setup and --invite change it: the keys that are there stay as they are, since
 * gateways use them, and in their order.
 */
#include "vps/setup/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "shared/gateway_name.h"

int keys_read(struct keys *keys, const char *text, struct why *why)
{
    static const struct vps_settings NONE;
    struct vps_settings settings = NONE;
    *keys = (struct keys){0};
    /*
     * vps-agent refuses a key that two gateways have, and names --invite NAME --new-key as the
     * cure; so that value has to be readable here. check_all() is as strict as vps-agent again.
     */
    settings.tunnel_key.to_mend = true;
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
        if (key->until) {
            text_add(&text, "@%" PRId64, key->until);
        }
        crypto_wipe(hex, sizeof hex);
    }
}

void keys_wipe(struct keys *keys)
{
    crypto_wipe(keys, sizeof *keys);
}

static struct gateway_key *find(struct keys *keys, const char *gateway)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (gateway_name_equal(keys->keys[i].name, gateway)) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

bool keys_have_shared(const struct keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (!keys->keys[i].name[0]) {
            return true;
        }
    }
    return false;
}

static int check_gateway(const struct keys *keys, const char *gateway, bool is_new, struct why *why)
{
    if (!gateway_name_is_valid(gateway)) {
        return why_set(
            why, -EINVAL,
            "\"%.80s\" is not a gateway name: that is 1 to 63 letters, digits, dots, hyphens "
            "or underscores",
            gateway);
    }
    if (is_new && keys->count == GATEWAYS_MAX) {
        return why_set(why, -ENOSPC, "TUNNEL_KEY has the keys of %d gateways already: take one out",
                       GATEWAYS_MAX);
    }
    return 0;
}

/* The key stays; perhaps it waits for longer. */
static int keep(struct keys *keys, struct gateway_key *key, const struct keys_wish *wish,
                struct why *why)
{
    char when[CLOCK_TEXT_MAX];
    if (key->until && wish->now >= key->until) {
        return why_set(why, -EKEYEXPIRED,
                       "the join string of %s expired at %s; make a new one: vps-agent --invite %s "
                       "--new-key (if that gateway is in use, take the @ and the number behind its "
                       "key out of TUNNEL_KEY instead)",
                       key->name, clock_text(key->until, when), key->name);
    }
    /* A time is for the first use of a key, and one without a time may be in use already. */
    if (wish->until_said && !key->until) {
        return why_set(
            why, -EINVAL,
            "the key of %s is in use and never expires: --valid needs --new-key, or a new gateway",
            key->name);
    }
    if (wish->until_said && key->until != wish->until) {
        key->until = wish->until;
        keys->changed = true;
    }
    return 0;
}

/* In the place that it had: the order of TUNNEL_KEY is the person's. */
static int renew(struct keys *keys, struct gateway_key *key, const struct keys_wish *wish,
                 struct why *why)
{
    int err = crypto_random(key->key, sizeof key->key);
    if (err < 0) {
        return why_set(why, err, "the kernel has no random numbers");
    }
    key->until = wish->until;
    keys->changed = true;
    return 0;
}

/* What was read so that it can be mended, is it now? */
static int check_all(const struct keys *keys, struct why *why)
{
    static const struct vps_settings NONE;
    struct vps_settings settings = NONE;
    char text[SETTING_VALUE_MAX];
    keys_write(keys, text);
    int err = vps_settings_take("TUNNEL_KEY", text, &settings, why);
    crypto_wipe(text, sizeof text);
    vps_settings_wipe(&settings);
    return err;
}

int keys_for(struct keys *keys, const char *gateway, const struct keys_wish *wish,
             const struct gateway_key **ret_key, struct why *why)
{
    struct gateway_key *key = find(keys, gateway);
    bool is_new = !key;
    int err = check_gateway(keys, gateway, is_new, why);
    if (err < 0) {
        return err;
    }
    if (is_new) {
        key = &keys->keys[keys->count++];
        memcpy(key->name, gateway, strlen(gateway) + 1);
    }
    err = is_new || wish->renew ? renew(keys, key, wish, why) : keep(keys, key, wish, why);
    err = err < 0 ? err : check_all(keys, why);
    if (err == 0) {
        *ret_key = key;
    }
    return err;
}
