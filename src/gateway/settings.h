/* settings: the configuration of gateway-agent (README.md, "Settings of gateway-agent"). */
#ifndef PAMTUNNEL_GATEWAY_SETTINGS_H
#define PAMTUNNEL_GATEWAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/changes.h"
#include "base/crypto.h"
#include "base/host.h"
#include "base/proxy.h"
#include "base/vocabulary.h"
#include "base/why.h"
#include "gateway/targets.h"
#include "shared/common_settings.h"
#include "shared/gateway_name.h"
#include "shared/state_dir.h"

struct gateway_settings {
    char vps_host[HOST_MAX + 1];
    char vps_proxy[PROXY_URL_MAX + 1]; /* on the way there; empty: as the environment says */
    struct proxy proxy;                /* what comes of that; without a host: none */
    struct tunnel_key {
        uint8_t bytes[CRYPTO_KEY_SIZE];
        bool given; /* else it is what pairing comes to: credentials.h */
    } tunnel_key;
    uint16_t control_port;
    char gateway_name[GATEWAY_NAME_MAX + 1];
    long keepalive_secs;
    struct targets *allowed_targets;
    bool discover; /* the VPS may ask which machines are in the LAN */
    char state_dir[STATE_DIR_MAX + 1];
    struct common_settings common;
};

/* The names that its env file may hold, and the tables of all settings. */
extern const struct vocabulary GATEWAY_VOCABULARY;

/*
 * The env file to read: the one that was named, or the installed one where the environment
 * lacks something that has to be set. NULL: none, the environment has it all.
 */
const char *gateway_settings_env_file(const char *named);
/*
 * Reads everything; env_file may be NULL. 0, or -errno with the one line for the
 * user in why. gateway_settings_done() afterwards.
 */
int gateway_settings_load(const char *env_file, struct gateway_settings *ret_settings,
                          struct why *why);
/*
 * Reads everything again and compares it with what is in force. ret_after is what to put in
 * force: settings that are only read at startup are as in `now`. 0, or -errno with why.
 */
int gateway_settings_renew(const char *env_file, const struct gateway_settings *now,
                           struct gateway_settings *ret_after, struct changes *ret_changes,
                           struct why *why);
/*
 * Puts `after` in the place of what is in force. The list of targets stays the same object
 * with other entries.
 */
void gateway_settings_replace(struct gateway_settings *settings, struct gateway_settings *after);
/* Frees and wipes what it holds. */
void gateway_settings_done(struct gateway_settings *settings);

/*
 * A gateway's name made from a machine's: up to the first dot, and what a name
 * may not hold becomes a hyphen. "gateway" if nothing is left.
 */
void gateway_name_from_host(const char *host, char dst[GATEWAY_NAME_MAX + 1]);

#endif
