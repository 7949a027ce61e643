/* keys: the keys in TUNNEL_KEY, and one more. */
#ifndef PAMTUNNEL_VPS_SETUP_KEYS_H
#define PAMTUNNEL_VPS_SETUP_KEYS_H

#include <stdbool.h>

#include "base/settings.h"
#include "base/why.h"
#include "vps/settings/settings.h"

struct keys {
    struct gateway_key keys[GATEWAYS_MAX];
    unsigned count;
    bool changed;
};

/* The value of TUNNEL_KEY; empty is no key. One key may be of two gateways. -EINVAL with why. */
int keys_read(struct keys *keys, const char *text, struct why *why);
/* As it is written into TUNNEL_KEY. */
void keys_write(const struct keys *keys, char ret_text[SETTING_VALUE_MAX]);
void keys_wipe(struct keys *keys);

/* What is wanted of a gateway's key. */
struct keys_wish {
    bool renew;      /* a fresh one in any case */
    bool until_said; /* a person said until when; a key in use takes no time */
    int64_t until;   /* when a fresh one, or one that waits, must have been used; 0: whenever */
    int64_t now;     /* Unix time */
};
/*
 * The gateway's own key: the one that it has, or a fresh one that is added or takes its
 * place. What all gateways without a key share is left as it is. -ENOSPC if there are too
 * many, -EKEYEXPIRED if the key that it has waited too long, -EINVAL for a name that is
 * none, a time that does not fit or a key that is another one's, too, or another -errno;
 * why is a sentence.
 */
int keys_for(struct keys *keys, const char *gateway, const struct keys_wish *wish,
             const struct gateway_key **ret_key, struct why *why);
/* There is one without a name. */
bool keys_have_shared(const struct keys *keys);

#endif
