/* settings: the configuration of vps-agent (README.md, "Settings of vps-agent"). */
#ifndef PAMTUNNEL_VPS_SETTINGS_SETTINGS_H
#define PAMTUNNEL_VPS_SETTINGS_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/changes.h"
#include "base/congestion.h"
#include "base/crypto.h"
#include "base/host.h"
#include "base/log.h"
#include "base/net.h"
#include "base/sources.h"
#include "base/vocabulary.h"
#include "base/why.h"
#include "shared/gateway_name.h"
#include "vps/store/state.h"

enum { USERS_MAX = 64, GATEWAYS_MAX = 32, TOKEN_MAX = 128, URL_MAX = 512 };

#define STATE_DIR_DEFAULT "/var/lib/pamtunnel"

enum admit { ADMIT_AUTO, ADMIT_KNOWN, ADMIT_ASK };

struct gateway_key {
    char name[GATEWAY_NAME_MAX + 1]; /* empty: any gateway that has none of its own */
    uint8_t key[CRYPTO_KEY_SIZE];
    int64_t until; /* Unix time by which it must have been used once; 0: whenever */
};

struct user_list {
    int64_t ids[USERS_MAX];
    unsigned count;
};

struct key_list {
    struct gateway_key keys[GATEWAYS_MAX];
    unsigned count;
    bool to_mend; /* set beforehand: two gateways with one key are no error */
};

struct vps_settings {
    bool local; /* --local: no Telegram */
    char telegram_token[TOKEN_MAX + 1];
    char telegram_api_url[URL_MAX + 1];
    char telegram_proxy[URL_MAX + 1]; /* to the Bot API; empty: as the environment says */
    struct user_list allowed_users;
    char vps_host[HOST_MAX + 1];
    struct key_list tunnel_key;
    uint16_t control_port;
    uint16_t port_range_start;
    uint16_t port_range_end;
    char bind_address[ADDR_HOST_MAX];
    long session_timeout;  /* seconds, as all of these */
    long reconnect_grace;  /* 0: none */
    long max_connections;  /* of a session at once; 0: what suits its kind */
    long idle_timeout;     /* 0: none */
    long max_session_time; /* 0: none */
    long max_sessions_per_user;
    long max_sessions;
    long relay_workers;
    char congestion_control[CONGESTION_NAME_MAX + 1];
    enum admit admit;
    long known_days;
    char state_dir[STATE_DIR_MAX + 1];
    bool rdp_clipboard;
    bool sandbox;
    enum log_level log_level;
};

/*
 * The env file to read: the one that was named, or the installed one where the environment
 * lacks something that has to be set. NULL: none, the environment has it all.
 */
const char *vps_settings_env_file(const char *named, bool local);
/* The names that its env file may hold. */
const struct vocabulary *vps_settings_vocabulary(void);
/* Every line of the file sets something that vps-agent knows. A file that is not there is fine. */
int vps_settings_check_names(const char *env_file, struct why *why);
/* Reads everything. 0, or -errno with the one line for the user in why. */
int vps_settings_load(const char *env_file, bool local, struct vps_settings *ret_settings,
                      struct why *why);
/* Takes one value by itself, for --setup. -ENOENT if there is no setting of that name. */
int vps_settings_take(const char *name, const char *text, struct vps_settings *settings,
                      struct why *why);
/*
 * Reads everything again and compares it with what is in force. ret_after is what is in force
 * from now on: what is read at the start only stays as it is in `now`. 0, or -errno with why.
 */
int vps_settings_renew(const char *env_file, const struct vps_settings *now,
                       struct vps_settings *ret_after, struct changes *ret_changes,
                       struct why *why);
/* Adds the files that they are read from, and checks them: see sources_find(). */
int vps_settings_sources(const char *env_file, struct sources *sources, struct why *why);
/* Overwrites the secrets. */
void vps_settings_wipe(struct vps_settings *settings);
/* Prints the table of settings for --help. */
void vps_settings_describe(void);

#endif
