/* keys: the keys in TUNNEL_KEY, and one more. */
#ifndef PAMTUNNEL_VPS_SETUP_KEYS_H
#define PAMTUNNEL_VPS_SETUP_KEYS_H

#include <stdbool.h>

#include "base/settings.h"
#include "base/why.h"
#include "vps/settings.h"

struct keys {
    struct gateway_key keys[GATEWAYS_MAX];
    unsigned count;
    bool changed;
};

/* The value of TUNNEL_KEY; empty is no key. -EINVAL with why. */
int keys_read(struct keys *keys, const char *text, struct why *why);
/* As it is written into TUNNEL_KEY. */
void keys_write(const struct keys *keys, char ret_text[SETTING_VALUE_MAX]);
void keys_wipe(struct keys *keys);

/*
 * The key for a gateway: the one it has, or the one that all share, or a fresh one that
 * is added. With `renew` it gets a fresh one in any case. -ENOSPC if there are too many,
 * or -errno; why is a sentence.
 */
int keys_for(struct keys *keys, const char *gateway, bool renew, const struct gateway_key **ret_key,
             struct why *why);

#endif
