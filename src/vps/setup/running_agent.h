/*
 * running_agent: the vps-agent that runs on this machine with a STATE_DIR, if one does, and what
 * it knows of the keys in TUNNEL_KEY.
 */
#ifndef PAMTUNNEL_VPS_SETUP_RUNNING_AGENT_H
#define PAMTUNNEL_VPS_SETUP_RUNNING_AGENT_H

#include <stdbool.h>

#include "base/text.h"
#include "base/why.h"
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
    /* Gateways that have keys in its state file. */
    char kept_names[KEPT_KEYS_MAX][GATEWAY_NAME_MAX + 1];
    unsigned kept;
};

void running_agent_ask(const char *state_dir, struct running_agent *ret_running);
/* What it knows of a key; NULL: nothing. */
const struct running_agent_key *running_agent_find(const struct running_agent *running,
                                                   const uint8_t key[CRYPTO_KEY_SIZE]);
/* That gateway has a key in its state file. */
bool running_agent_keeps(const struct running_agent *running, const char *gateway);

/* What a person asks of it. */
struct running_agent_wish {
    const char *gateway;
    bool renew;      /* another key for one that has one: pamctl gateway rotate; else add */
    int64_t valid_s; /* how long the join string may wait to be used; 0: for ever */
};
/*
 * It lets a gateway in, and its join string is printed (invite_print()). 0, or -errno with its
 * reason in why: -EINVAL if what was wished makes no sense.
 */
int running_agent_invite(const char *state_dir, const struct running_agent_wish *wish,
                         struct why *why);
/* "sudo pamctl reload": the settings are read again. */
void running_agent_add_reload(struct text *text, const char *state_dir);

#endif
