/*
 * running_agent: the vps-agent that runs on this machine with a STATE_DIR, if one does, and what
 * it knows of the keys in TUNNEL_KEY.
 */
#ifndef PAMTUNNEL_VPS_SETUP_RUNNING_AGENT_H
#define PAMTUNNEL_VPS_SETUP_RUNNING_AGENT_H

#include <stdbool.h>

#include "base/text.h"
#include "vps/gateways/keyring.h"
#include "vps/settings/settings.h"

struct running_agent_key {
    char id[KEYRING_ID_MAX];
    bool used, expired;
};

struct running_agent {
    bool runs;  /* or who may tell did not let us ask */
    bool tells; /* it said which keys it knows: those that follow */
    struct running_agent_key keys[GATEWAYS_MAX]; /* of TUNNEL_KEY */
    unsigned count;
    unsigned kept; /* how many there are of gateways that were added while it ran */
};

void running_agent_ask(const char *state_dir, struct running_agent *ret_running);
/* What it knows of a key; NULL: nothing. */
const struct running_agent_key *running_agent_find(const struct running_agent *running,
                                                   const uint8_t key[CRYPTO_KEY_SIZE]);
/* "sudo pamctl reload": the settings are read again. */
void running_agent_add_reload(struct text *text, const char *state_dir);

#endif
