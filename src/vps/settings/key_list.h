/* key_list: TUNNEL_KEY, the keys with which gateways log in, and whose each of them is. */
#ifndef PAMTUNNEL_VPS_SETTINGS_KEY_LIST_H
#define PAMTUNNEL_VPS_SETTINGS_KEY_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/setting.h"
#include "shared/gateway_name.h"

enum { GATEWAYS_MAX = 32 };

struct gateway_key {
    char name[GATEWAY_NAME_MAX + 1]; /* empty: any gateway that has none of its own */
    uint8_t key[CRYPTO_KEY_SIZE];
    int64_t until; /* Unix time by which it must have been used once; 0: whenever */
};

struct key_list {
    struct gateway_key keys[GATEWAYS_MAX];
    unsigned count;
    bool to_mend; /* set beforehand: two gateways with one key are no error */
};

extern const struct setting_type SETTING_KEY_LIST; /* struct key_list */

/* The key of the gateway of this name: its own, or else the one without a name. NULL: none. */
const struct gateway_key *key_list_find(const struct key_list *list, const char *gateway);
/* All of the keys are the same, and so are their times. */
bool key_list_equal(const struct key_list *before, const struct key_list *after);

#endif
