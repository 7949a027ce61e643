/* settings: the configuration of vps-agent (README.md, "Settings of vps-agent"). */
#ifndef PAMTUNNEL_VPS_SETTINGS_SETTINGS_H
#define PAMTUNNEL_VPS_SETTINGS_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/changes.h"
#include "base/host.h"
#include "base/net.h"
#include "base/vocabulary.h"
#include "base/why.h"
#include "shared/common_settings.h"
#include "shared/state_dir.h"
#include "vps/settings/key_list.h"
#include "vps/settings/policy_setting.h"
#include "vps/settings/user_list.h"

enum { TOKEN_MAX = 128, URL_MAX = 512, SIGN_PATH_MAX = 200 };

enum admit { ADMIT_AUTO, ADMIT_KNOWN, ADMIT_ASK };

/* What becomes of new sessions while nothing can be recorded. */
enum audit_full { AUDIT_FULL_REFUSE, AUDIT_FULL_CONTINUE };

/* Where data channels come in. */
enum data_port { DATA_PORT_RANDOM, DATA_PORT_CONTROL };

struct vps_settings {
    bool local; /* --local: no Telegram */
    char telegram_token[TOKEN_MAX + 1];
    char telegram_api_url[URL_MAX + 1];
    char telegram_proxy[URL_MAX + 1]; /* to the Bot API; empty: as the environment says */
    struct user_list allowed_users;   /* with a policy, those of its users */
    struct policy_setting policy_file;
    char vps_host[HOST_MAX + 1];
    struct key_list tunnel_key;
    uint16_t control_port;
    uint16_t entrance_port; /* 0: there is none */
    enum data_port data_port;
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
    enum admit admit;
    long known_days;
    enum audit_full audit_full;
    long audit_days;       /* 0: for ever */
    long approval_timeout; /* seconds */
    long factor_minutes;   /* 0: each time */
    char state_dir[STATE_DIR_MAX + 1];
    bool rdp_clipboard;
    char rdp_sign_cert[SIGN_PATH_MAX + 1]; /* "off"; "": what certbot keeps (publisher.h) */
    char rdp_sign_key[SIGN_PATH_MAX + 1];
    struct common_settings common;
};

/* The names that its env file may hold, and the tables of all settings. */
extern const struct vocabulary VPS_VOCABULARY;

/*
 * The env file to read: the one that was named, or the installed one where the environment
 * lacks something that has to be set. NULL: none, the environment has it all.
 */
const char *vps_settings_env_file(const char *named, bool local);
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
/* Overwrites the secrets, and frees the policy. */
void vps_settings_wipe(struct vps_settings *settings);

#endif
