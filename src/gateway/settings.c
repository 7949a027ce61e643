/*
 * The table of settings, and how they are loaded, compared and replaced. A new setting is a row in
 * TABLE and a field in the struct; --help, --check, reloading and the env file's vocabulary follow
 * from the row.
 *
 * Loading fills a struct that nobody uses yet; only a complete one replaces what is in force
 * (gateway_settings_replace()), so a reload is all or nothing. The list of targets keeps its
 * address across reloads, since every tunnel and reach holds a pointer to it.
 */
#include "gateway/settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/changes.h"
#include "base/congestion.h"
#include "base/envfile.h"
#include "base/settings.h"
#include "base/vocabulary.h"
#include "shared/gateway_name.h"
#include "shared/service.h"

enum { WORKERS_DEFAULT_MAX = 4, WORKERS_MAX = 64 };

static int parse_key(const struct setting *setting, const char *text, void *field, struct why *why)
{
    (void)setting;
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
    return crypto_unhex(text, field, CRYPTO_KEY_SIZE) < 0
               ? why_set(why, -EINVAL,
                         "it contains something that is not a hex digit (0 to 9, a to f)")
               : 0;
}

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

static int parse_targets(const struct setting *setting, const char *text, void *field,
                         struct why *why)
{
    (void)setting;
    return targets_parse(text, field, why);
}

#define FIELD(name) .offset = offsetof(struct gateway_settings, name)

/* What has no default here but is optional has one in set_defaults(). */
static const struct setting TABLE[] = {
    {"VPS_HOST", .takes = "the name or address of the VPS", .parse = setting_host, FIELD(vps_host)},
    {"TUNNEL_KEY", .takes = "the 64 hex digits that vps-agent --generate-key prints",
     .parse = parse_key, FIELD(tunnel_key), .secret = true},
    {"CONTROL_PORT", "9000", "a port, 1 to 65535", setting_port, FIELD(control_port)},
    {"GATEWAY_NAME",
     .takes = "1 to 63 letters, digits, dots, hyphens or underscores; this machine's name if unset",
     .parse = parse_name, FIELD(gateway_name), .optional = true},
    {"KEEPALIVE_SECS", "30", "seconds between pings, 1 to 3600", setting_number,
     FIELD(keepalive_secs), .min = 1, .max = 3600},
    {"ALLOWED_TARGETS", TARGETS_DEFAULT, "entries like 192.168.1.0/24:22,3389;HOME-PC:3389",
     parse_targets, FIELD(allowed_targets), .no_blank = true},
    {"RELAY_WORKERS",
     .takes = "a number of threads for users' traffic, 1 to 64; if unset, one per core, at most 4",
     .parse = setting_number, FIELD(relay_workers), .min = 1, .max = WORKERS_MAX, .optional = true,
     .at_start = true},
    {"CONGESTION_CONTROL", "auto",
     "auto, system, or one that the kernel has, like cubic or bbr: for connections to the VPS",
     setting_congestion, FIELD(congestion_control)},
    {"SANDBOX", "on", "on, or off for debugging", setting_switch, FIELD(sandbox), .at_start = true},
    {"RUST_LOG", .takes = "the old name of LOG_LEVEL", .parse = setting_rust_log, FIELD(log_level),
     .optional = true},
    {"LOG_LEVEL", .takes = "error, warn, info, debug or trace; info if unset",
     .parse = setting_log_level, FIELD(log_level), .optional = true},
};

enum { TABLE_SIZE = sizeof TABLE / sizeof *TABLE };

/* What vps-agent alone has; a test compares them. */
static const char *const OF_VPS[] = {
    "TELEGRAM_TOKEN",
    "ALLOWED_USERS",
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
    "RDP_CLIPBOARD",
    "STATE_DIR",
    NULL,
};

static const char *const OF_ENVIRONMENT[] = {
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "TZ", "LANG", "PATH", NULL,
};

static const struct vocabulary VOCABULARY = {
    .tables = {{TABLE, TABLE_SIZE}},
    .other_agent = "vps-agent",
    .others = OF_VPS,
    .environments = OF_ENVIRONMENT,
};

const char *gateway_settings_env_file(const char *named)
{
    bool enough = settings_are_given(TABLE, TABLE_SIZE);
    return named ? named : enough ? NULL : envfile_installed(GATEWAY_ENV_FILE);
}

const struct vocabulary *gateway_settings_vocabulary(void)
{
    return &VOCABULARY;
}

int gateway_settings_check_names(const char *env_file, struct why *why)
{
    return vocabulary_check_file(&VOCABULARY, env_file, why);
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

static void set_defaults(struct gateway_settings *settings)
{
    char host[HOST_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    gateway_name_from_host(host, settings->gateway_name);

    /* Not the machine's cores: a container or taskset(1) may allow fewer. */
    unsigned cores = uv_available_parallelism();
    settings->relay_workers = cores < WORKERS_DEFAULT_MAX ? (long)cores : WORKERS_DEFAULT_MAX;
    settings->log_level = LOG_INFO;
}

int gateway_settings_load(const char *env_file, struct gateway_settings *ret_settings,
                          struct why *why)
{
    struct settings_source *source;
    int err = settings_open(env_file, &source, why);
    if (err < 0) {
        return err;
    }
    struct gateway_settings settings = {0};
    set_defaults(&settings);
    /* Names before values: a misspelt one explains a missing one. */
    err = vocabulary_check(&VOCABULARY, source, why);
    err = err < 0 ? err : settings_load(source, TABLE, TABLE_SIZE, &settings, why);
    settings_close(source);
    if (err < 0) {
        gateway_settings_done(&settings);
        return err;
    }
    *ret_settings = settings;
    crypto_wipe(&settings.tunnel_key, sizeof settings.tunnel_key);
    return 0;
}

/* ---- read again ------------------------------------------------------------- */

static void differ_in_targets(const void *before, const void *after, struct text *text)
{
    targets_differ(*(struct targets *const *)before, *(struct targets *const *)after, text);
}

static const struct setting_form FORMS[] = {
    {parse_key, CRYPTO_KEY_SIZE, NULL, NULL},
    {parse_name, 0, NULL, NULL},
    {parse_targets, sizeof(struct targets *), NULL, differ_in_targets},
    {NULL, 0, NULL, NULL},
};

int gateway_settings_renew(const char *env_file, const struct gateway_settings *now,
                           struct gateway_settings *ret_after, struct changes *ret_changes,
                           struct why *why)
{
    struct changes changes = {0};
    struct sources sources = {0};
    int err = gateway_settings_sources(env_file, &sources, why);
    sources_done(&sources);
    err = err < 0 ? err : gateway_settings_load(env_file, ret_after, why);
    if (err < 0) {
        sources_explain(err, now->sandbox, why);
        return err;
    }
    err = changes_find(TABLE, TABLE_SIZE, FORMS, now, ret_after, &changes);
    if (err < 0) {
        gateway_settings_done(ret_after);
        return why_set(why, err, "there is a setting that cannot be compared");
    }
    changes_hold_back(TABLE, TABLE_SIZE, FORMS, now, ret_after);
    *ret_changes = changes;
    return 0;
}

int gateway_settings_sources(const char *env_file, struct sources *sources, struct why *why)
{
    return sources_find(sources, env_file, &VOCABULARY, why);
}

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
    crypto_wipe(settings->tunnel_key, sizeof settings->tunnel_key);
}

void gateway_settings_describe(void)
{
    settings_describe(TABLE, TABLE_SIZE);
}
