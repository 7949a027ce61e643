/*
 * A setting is a row here and a field in settings.h; what is new about how it is written is a type
 * beside its parser. Rows that vps-agent has too are shared/common_settings.c's, and the names
 * that it alone has are in OF_VPS, so that each program can say whose a setting is.
 */
#include "gateway/settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/envfile.h"
#include "base/sources.h"
#include "shared/service.h"

/* ---- what only this agent has --------------------------------------------- */

static int parse_key(const struct setting *setting, const char *text, void *field, struct why *why)
{
    (void)setting;
    struct tunnel_key *key = field;
    size_t len = strlen(text);
    if (strncmp(text, "0x", 2) == 0) {
        return why_set(why, -EINVAL, "leave out the 0x");
    }
    if (strchr(text, ':')) {
        return why_set(why, -EINVAL, "on a gateway it is a single key, without a name and a colon");
    }
    if (len != (size_t)CRYPTO_KEY_SIZE * 2) {
        return why_set(why, -EINVAL, "it has %zu characters", len);
    }
    if (crypto_unhex(text, key->bytes, CRYPTO_KEY_SIZE) < 0) {
        return why_set(why, -EINVAL,
                       "it contains something that is not a hex digit (0 to 9, a to f)");
    }
    key->given = true;
    return 0;
}

static const struct setting_type KEY = {parse_key, sizeof(struct tunnel_key), NULL, NULL};

static int parse_name(const struct setting *setting, const char *text, void *field, struct why *why)
{
    (void)setting;
    (void)why;
    if (!gateway_name_is_valid(text)) {
        return -EINVAL;
    }
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

static const struct setting_type NAME = {parse_name, 0, NULL, NULL};

static int parse_targets(const struct setting *setting, const char *text, void *field,
                         struct why *why)
{
    (void)setting;
    return targets_parse(text, field, why);
}

static void differ_in_targets(const void *before, const void *after, struct text *text)
{
    targets_differ(*(struct targets *const *)before, *(struct targets *const *)after, text);
}

static const struct setting_type TARGETS = {parse_targets, sizeof(struct targets *), NULL,
                                            differ_in_targets};

static int parse_proxy(const struct setting *s, const char *text, void *field, struct why *why)
{
    int err = proxy_check_plain(text, why);
    return err < 0 ? err : setting_text(s, text, field, why);
}

static const struct setting_type PROXY = {parse_proxy, 0, NULL, NULL};

/* ---- the tables ----------------------------------------------------------- */

#define FIELD(name)                                    \
    .offset = offsetof(struct gateway_settings, name), \
    .field = sizeof(((struct gateway_settings *)0)->name)

/* GATEWAY_NAME has its default in gateway_settings_load(). */
static const struct setting OWN[] = {
    {"VPS_HOST", .takes = "the name or address of the VPS", .type = &SETTING_HOST, FIELD(vps_host)},
    {"TUNNEL_KEY",
     .takes = "the 64 hex digits that vps-agent --generate-key prints; if unset, the gateway asks "
              "to be paired",
     .type = &KEY, FIELD(tunnel_key), .secret = true, .optional = true},
    {"CONTROL_PORT", "9000", "a port, 1 to 65535", &SETTING_PORT, FIELD(control_port)},
    {"VPS_PROXY", .takes = "the proxy on the way to the VPS: http://[USER:PASSWORD@]HOST:PORT",
     .type = &PROXY, FIELD(vps_proxy), .max = PROXY_URL_MAX, .secret = true, .optional = true},
    {"GATEWAY_NAME",
     .takes = "1 to 63 letters, digits, dots, hyphens or underscores; this machine's name if unset",
     .type = &NAME, FIELD(gateway_name), .optional = true},
    {"KEEPALIVE_SECS", "30", "seconds between pings, 1 to 3600", &SETTING_NUMBER,
     FIELD(keepalive_secs), .min = 1, .max = 3600},
    {"ALLOWED_TARGETS", TARGETS_DEFAULT, "entries like 192.168.1.0/24:22,3389;HOME-PC:3389",
     &TARGETS, FIELD(allowed_targets), .no_blank = true},
    {"DISCOVER", "off",
     "on or off: whether administrators may ask which machines are in this network",
     &SETTING_SWITCH, FIELD(discover)},
    {"STATE_DIR", GATEWAY_STATE_DIR_DEFAULT, "an absolute path of at most 90 characters",
     &SETTING_FOLDER, FIELD(state_dir), .max = STATE_DIR_MAX, .at_start = true},
};

static const struct settings_table TABLES[] = {
    {OWN, sizeof OWN / sizeof *OWN, 0},
    COMMON_SETTINGS_TABLE(offsetof(struct gateway_settings, common)),
    {NULL, 0, 0},
};

/* What vps-agent alone has; a test compares them. */
static const char *const OF_VPS[] = {
    "TELEGRAM_TOKEN",
    "ALLOWED_USERS",
    "POLICY_FILE",
    "AUDIT_FULL",
    "AUDIT_DAYS",
    "RDP_SIGN_CERT",
    "RDP_SIGN_KEY",
    "TELEGRAM_API_URL",
    "TELEGRAM_PROXY",
    "PORT_RANGE_START",
    "PORT_RANGE_END",
    "BIND_ADDRESS",
    "SESSION_TIMEOUT",
    "RECONNECT_GRACE",
    "MAX_CONNECTIONS",
    "IDLE_TIMEOUT",
    "MAX_SESSION_TIME",
    "MAX_SESSIONS",
    "ADMIT",
    "MAX_SESSIONS_PER_USER",
    "KNOWN_DAYS",
    "DATA_PORT",
    "ENTRANCE_PORT",
    "RDP_CLIPBOARD",
    "APPROVAL_TIMEOUT",
    "FACTOR_MINUTES",
    NULL,
};

static const char *const OF_ENVIRONMENT[] = {
    "https_proxy",  "HTTPS_PROXY",    "no_proxy", "NO_PROXY", "NOTIFY_SOCKET", "WATCHDOG_USEC",
    "WATCHDOG_PID", "JOURNAL_STREAM", "TZ",       "LANG",     "PATH",          NULL,
};

const struct vocabulary GATEWAY_VOCABULARY = {
    .tables = TABLES,
    .other_agent = "vps-agent",
    .others = OF_VPS,
    .environments = OF_ENVIRONMENT,
};

/* ---- reading -------------------------------------------------------------- */

/* The key may be in the installed file, and only that one knows. */
const char *gateway_settings_env_file(const char *named)
{
    bool is_enough = settings_are_given(TABLES) && settings_is_given("TUNNEL_KEY");
    return named ? named : is_enough ? NULL : envfile_installed(GATEWAY_ENV_FILE);
}

void gateway_name_from_host(const char *host, char dst[GATEWAY_NAME_MAX + 1])
{
    size_t len = 0;
    for (; *host && *host != '.' && len < GATEWAY_NAME_MAX; host++) {
        dst[len] = *host;
        dst[len + 1] = '\0';
        if (len == 0 && !gateway_name_is_valid(dst)) {
            continue; /* the first character is a letter or a digit */
        }
        if (!gateway_name_is_valid(dst)) {
            dst[len] = '-';
        }
        len++;
    }
    dst[len] = '\0';
    if (len == 0) {
        strcpy(dst, "gateway");
    }
}

static void wipe_secrets(struct gateway_settings *settings)
{
    crypto_wipe(&settings->tunnel_key, sizeof settings->tunnel_key);
    crypto_wipe(settings->vps_proxy, sizeof settings->vps_proxy);
    crypto_wipe(&settings->proxy, sizeof settings->proxy);
}

int gateway_settings_load(const char *env_file, struct gateway_settings *ret_settings,
                          struct why *why)
{
    struct gateway_settings settings = {.common = common_settings_default()};
    char host[HOST_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    gateway_name_from_host(host, settings.gateway_name);
    int err = vocabulary_load(&GATEWAY_VOCABULARY, TABLES, env_file, &settings, why);
    err = err < 0 ? err
                  : proxy_choose("VPS_PROXY", settings.vps_proxy, settings.vps_host,
                                 &settings.proxy, why);
    if (err < 0) {
        gateway_settings_done(&settings);
        return err;
    }
    *ret_settings = settings;
    wipe_secrets(&settings);
    return 0;
}

/* ---- read again ------------------------------------------------------------- */

int gateway_settings_renew(const char *env_file, const struct gateway_settings *now,
                           struct gateway_settings *ret_after, struct changes *ret_changes,
                           struct why *why)
{
    struct changes changes = {0};
    int err = sources_check(env_file, &GATEWAY_VOCABULARY, why);
    err = err < 0 ? err : gateway_settings_load(env_file, ret_after, why);
    if (err < 0) {
        sources_explain(err, now->common.sandbox, why);
        return err;
    }
    changes_find(TABLES, now, ret_after, &changes);
    changes_hold_back(TABLES, now, ret_after);
    *ret_changes = changes;
    return 0;
}

/* Tunnels and look-ups hold the list: it is changed in place, so that they go by the new one. */
void gateway_settings_replace(struct gateway_settings *settings, struct gateway_settings *after)
{
    struct targets *list = settings->allowed_targets;
    targets_swap(list, after->allowed_targets);
    targets_free(after->allowed_targets);
    *settings = *after;
    settings->allowed_targets = list;
    after->allowed_targets = NULL;
    gateway_settings_done(after);
}

void gateway_settings_done(struct gateway_settings *settings)
{
    targets_free(settings->allowed_targets);
    settings->allowed_targets = NULL;
    wipe_secrets(settings);
}
