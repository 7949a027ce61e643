/*
 * What the parts of keyring share:
 *
 *     keyring           finding, using, looking
 *     keyring_change    others are added, replaced, removed
 *     keyring_memory    which keys of TUNNEL_KEY have been used, and which of them are shared
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_KEYRING_CORE_H
#define PAMTUNNEL_VPS_GATEWAYS_KEYRING_CORE_H

#include "vps/gateways/keyring.h"

enum { USED_MAX = 256, SHARED_MAX = 8 }; /* and in the statements that load them */

struct keyring {
    const struct vps_settings *settings;
    struct store *store;
    struct kept_keys *kept;
    unsigned count;
    char used[USED_MAX][KEYRING_ID_MAX]; /* those with a time */
    unsigned shared_count;
    char shared[SHARED_MAX][KEYRING_ID_MAX]; /* by several names, without one; the latest last */
};

/* A key of its own in TUNNEL_KEY, or NULL. */
const struct gateway_key *keyring_own_in_settings(const struct keyring *keyring,
                                                  const char *gateway);

void keyring_memory_load(struct keyring *keyring);
bool keyring_is_used(const struct keyring *keyring, const struct gateway_key *key);
void keyring_remember(struct keyring *keyring, const struct gateway_key *key);

#endif
