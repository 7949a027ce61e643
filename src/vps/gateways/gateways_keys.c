/*
 * Keys come and go under gateways that are online, by a reload or by somebody's word. What is not
 * finished was perhaps begun with what was good a moment ago, so it is dropped: a gateway tries
 * again by itself. One that is online stays if the key with which it logged in still lets it in.
 */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "vps/gateways/gateways_core.h"

/* Offline, and told why. lost() comes last: its owner may have changed things. */
static void shut_out(struct gateway *gateway, const char *text)
{
    struct gateways *gateways = gateway->gateways;
    char name[GATEWAY_NAME_MAX + 1];
    strcpy(name, channel_peer_name(gateway->channel));
    log_warn(gateways->options.log, "gateway %s: offline: %s", name, text);
    channel_goodbye(gateway->channel, GOODBYE_SHUTDOWN, text);
    gateways_note_gone(gateway, text);
    gateways_remove(gateway);
    gateways->options.events.lost(gateways->options.events.arg, name);
}

void gateways_drop_unfinished(struct gateways *gateways)
{
    list_each (struct gateway, g, &gateways->list, home) {
        if (!g->open && !g->met && g->channel) {
            gateways_remove(g);
        }
    }
}

static void keys_changed(struct gateways *gateways, const char *other, const char *none)
{
    gateways_drop_unfinished(gateways);
    for (struct gateway *g = gateways_next(gateways, NULL), *next; g; g = next) {
        const char *name = channel_peer_name(g->channel);
        next = gateways_next(gateways, g);
        if (!keyring_accepts(gateways->keyring, name, g->key_id)) {
            shut_out(g, keyring_has(gateways->keyring, name) ? other : none);
        }
    }
    attendance_keys_changed(&gateways->attendance);
}

void gateways_settings_changed(struct gateways *gateways, const struct vps_settings *before)
{
    if (!key_list_equal(&before->tunnel_key, &gateways->options.settings->tunnel_key)) {
        keys_changed(gateways, "this gateway has another TUNNEL_KEY now",
                     "this gateway has no TUNNEL_KEY any more");
    }
}

/* ---- by somebody's word ----------------------------------------------------------- */

static void record(struct gateways *gateways, enum audit_event what, const char *gateway,
                   const struct owner *by)
{
    const struct audit_entry entry = {.what = what, .gateway = gateway, .by = by};
    audit_record(gateways->options.audit, &entry, NULL, NULL);
}

int gateways_add(struct gateways *gateways, const struct keyring_entry *entry,
                 const struct owner *by, struct why *why)
{
    int err = keyring_add(gateways->keyring, entry, why);
    if (err == 0) {
        gateways_drop_unfinished(gateways);
        record(gateways, AUDIT_GATEWAY_ADDED, entry->gateway, by);
    }
    return err;
}

int gateways_rotate(struct gateways *gateways, const struct keyring_entry *entry,
                    const struct owner *by, struct why *why)
{
    int err = keyring_rotate(gateways->keyring, entry, why);
    if (err == 0) {
        record(gateways, AUDIT_GATEWAY_ROTATED, entry->gateway, by);
        keys_changed(gateways, "this gateway has another key now", "");
    }
    return err;
}

int gateways_keep(struct gateways *gateways, const struct keyring_entry *entry, struct why *why)
{
    bool has = keyring_has_own(gateways->keyring, entry->gateway);
    int err = has ? keyring_rotate(gateways->keyring, entry, why)
                  : keyring_add(gateways->keyring, entry, why);
    if (err == 0) {
        keys_changed(gateways, "this gateway has another key now", "");
    }
    return err;
}

void gateways_take_back(struct gateways *gateways, const char *name,
                        const uint8_t key[CRYPTO_KEY_SIZE])
{
    keyring_take_back(gateways->keyring, name, key);
    keys_changed(gateways, "this gateway's new key could not be kept",
                 "this gateway's key could not be kept");
}

int gateways_expel(struct gateways *gateways, const char *name, const struct owner *by,
                   struct why *why)
{
    char gone[GATEWAY_NAME_MAX + 1];
    struct text copy = text_over(gone, sizeof gone);
    int err = keyring_remove(gateways->keyring, name, why);
    if (err < 0) {
        return err;
    }
    text_add(&copy, "%s", name); /* it may be of what goes away below */
    record(gateways, AUDIT_GATEWAY_REMOVED, gone, by);
    /* First: the gateway is still there to be told that its tunnels are closed. */
    if (!keyring_has(gateways->keyring, gone)) {
        gateways->options.events.removed(gateways->options.events.arg, gone);
    }
    keys_changed(gateways, "this gateway was removed on the VPS, and has another key there now",
                 "this gateway was removed on the VPS");
    return 0;
}
