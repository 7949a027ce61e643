/*
 * running: the vps-agent that runs on this machine with a STATE_DIR, if one does, and what
 * it knows of the keys in TUNNEL_KEY.
 */
#ifndef PAMTUNNEL_VPS_SETUP_RUNNING_H
#define PAMTUNNEL_VPS_SETUP_RUNNING_H

#include <stdbool.h>

#include "base/text.h"
#include "vps/gateways/keyring.h"
#include "vps/settings/settings.h"

struct running_key {
    char id[KEYRING_ID_MAX];
    bool used, expired;
};

struct running {
    bool runs;  /* or who may tell did not let us ask */
    bool tells; /* it said which keys it knows: those that follow */
    struct running_key keys[GATEWAYS_MAX];
    unsigned count;
};

void running_ask(const char *state_dir, struct running *ret_running);
/* What it knows of a key; NULL: nothing. */
const struct running_key *running_find(const struct running *running,
                                       const uint8_t key[CRYPTO_KEY_SIZE]);
/* "sudo pamctl reload": the settings are read again. */
void running_add_reload(struct text *text, const char *state_dir);

#endif
