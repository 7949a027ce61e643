#include "vps/settings/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/changes.h"
#include "base/congestion.h"
#include "base/envfile.h"
#include "base/proxy.h"
#include "base/settings.h"
#include "base/vocabulary.h"
#include "shared/service.h"
#include "vps/settings/roster.h"

enum {
    WORKERS_DEFAULT_MAX = 4,
    WORKERS_MAX = 64,
    DAY = 86400,
};

/* ---- parsers of this agent's own settings --------------------------------- */

/* BOT_ID:SECRET of letters, digits, '-' and '_', as BotFather makes them. */
static int parse_token(const struct setting *s, const char *text, void *field, struct why *why)
{
    size_t digits = strspn(text, "0123456789");
    size_t rest = strspn(text + digits, ":ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789_-");
    if (digits == 0 || text[digits] != ':' || text[digits + rest] || rest < 2) {
        return -EINVAL;
    }
    return setting_text(s, text, field, why);
}

static int parse_url(const struct setting *s, const char *text, void *field, struct why *why)
{
    const char *slashes = strstr(text, "://");
    if (!slashes || !slashes[3] || slashes[3] == '/' ||
        (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)) {
        return -EINVAL;
    }
    for (const char *c = text; *c; c++) {
        if (!isgraph((unsigned char)*c)) {
            return why_set(why, -EINVAL, "it holds a space or a control character");
        }
    }
    int err = setting_text(s, text, field, why);
    char *url = field;
    while (err == 0 && url[strlen(url) - 1] == '/') {
        url[strlen(url) - 1] = '\0';
    }
    return err;
}

static int parse_proxy(const struct setting *s, const char *text, void *field, struct why *why)
{
    int err = proxy_check(text, why);
    return err < 0 ? err : setting_text(s, text, field, why);
}

static int parse_bind(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct addr addr;
    if (addr_parse(text, 0, &addr) < 0) {
        return -EINVAL;
    }
    return setting_text(s, text, field, why);
}

static int parse_state_dir(const struct setting *s, const char *text, void *field, struct why *why)
{
    if (text[0] != '/') {
        return why_set(why, -EINVAL, "not an absolute path");
    }
    return setting_text(s, text, field, why);
}

static const char *const ADMIT_NAMES[] = {"auto", "known", "ask"};

static int parse_admit(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    for (unsigned i = 0; i < sizeof ADMIT_NAMES / sizeof *ADMIT_NAMES; i++) {
        if (strcmp(text, ADMIT_NAMES[i]) == 0) {
            *(enum admit *)field = (enum admit)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* ---- the tables ----------------------------------------------------------- */

#define FIELD(name) .offset = offsetof(struct vps_settings, name)

/* Not read with --local. */
static const struct setting TELEGRAM_TABLE[] = {
    {"TELEGRAM_TOKEN", .takes = "the bot's token from @BotFather, like 123456:ABC-DEF",
     .parse = parse_token, FIELD(telegram_token), .max = TOKEN_MAX, .secret = true,
     .at_start = true},
    {"ALLOWED_USERS", .takes = "numeric Telegram user IDs, separated by commas",
     .parse = roster_parse_users, FIELD(allowed_users)},
    {"TELEGRAM_API_URL", "https://api.telegram.org",
     "the http or https address of a Bot API server", parse_url, FIELD(telegram_api_url),
     .max = URL_MAX, .at_start = true},
    {"TELEGRAM_PROXY",
     .takes = "the proxy on the way to the Bot API: http://, https:// or socks5h://, then "
              "[USER:PASSWORD@]HOST:PORT",
     .parse = parse_proxy, FIELD(telegram_proxy), .max = URL_MAX, .secret = true, .optional = true,
     .at_start = true},
};

static const struct setting TABLE[] = {
    {"VPS_HOST", .takes = "the public name or IP address of this server", .parse = setting_host,
     FIELD(vps_host)},
    {"TUNNEL_KEY",
     .takes = "the 64 hex digits that vps-agent --generate-key prints, or NAME:KEY,NAME:KEY, a "
              "key for each gateway",
     .parse = roster_parse_keys, FIELD(tunnel_key), .secret = true},
    {"CONTROL_PORT", "9000", "a port, 1 to 65535", setting_port, FIELD(control_port),
     .at_start = true},
    {"PORT_RANGE_START", "20000", "a port, 1 to 65535", setting_port, FIELD(port_range_start)},
    {"PORT_RANGE_END", "30000", "a port, 1 to 65535", setting_port, FIELD(port_range_end)},
    {"BIND_ADDRESS", "::", "an IP address of this server; :: is all addresses, IPv4 and IPv6",
     parse_bind, FIELD(bind_address), .max = ADDR_HOST_MAX - 1, .at_start = true},
    {"SESSION_TIMEOUT", "120", "seconds, 1 to 86400", setting_number, FIELD(session_timeout),
     .min = 1, .max = DAY},
    {"RECONNECT_GRACE", "30", "seconds, 0 to 3600", setting_number, FIELD(reconnect_grace),
     .min = 0, .max = 3600},
    {"MAX_CONNECTIONS",
     .takes = "connections of a session at once, 1 to 64; if unset, 8 for SSH and 3 for RDP",
     .parse = setting_number, FIELD(max_connections), .min = 1, .max = 64, .optional = true},
    {"IDLE_TIMEOUT", "3600", "seconds, 1 to 604800, or 0 for none", setting_number,
     FIELD(idle_timeout), .min = 0, .max = 7 * DAY},
    {"MAX_SESSION_TIME", "43200", "seconds, 1 to 604800, or 0 for none", setting_number,
     FIELD(max_session_time), .min = 0, .max = 7 * DAY},
    {"MAX_SESSIONS_PER_USER", "8", "a number, 1 to 10000", setting_number,
     FIELD(max_sessions_per_user), .min = 1, .max = 10000},
    {"MAX_SESSIONS", "256", "a number, 1 to 10000", setting_number, FIELD(max_sessions), .min = 1,
     .max = 10000},
    {"ADMIT", "known", "auto, known or ask", parse_admit, FIELD(admit)},
    {"KNOWN_DAYS", "30", "days, 1 to 3650", setting_number, FIELD(known_days), .min = 1,
     .max = 3650},
    {"STATE_DIR", STATE_DIR_DEFAULT, "an absolute path of at most 90 characters", parse_state_dir,
     FIELD(state_dir), .max = STATE_DIR_MAX, .at_start = true},
    {"RELAY_WORKERS",
     .takes = "a number of threads for users' traffic, 1 to 64; if unset, one per core, at most 4",
     .parse = setting_number, FIELD(relay_workers), .min = 1, .max = WORKERS_MAX, .optional = true,
     .at_start = true},
    {"RDP_CLIPBOARD", "off", "on or off: whether .rdp files share the clipboard", setting_switch,
     FIELD(rdp_clipboard)},
    {"CONGESTION_CONTROL", "auto",
     "auto, system, or one that the kernel has, like cubic or bbr: for connections to other "
     "machines",
     setting_congestion, FIELD(congestion_control)},
    {"SANDBOX", "on", "on, or off for debugging", setting_switch, FIELD(sandbox), .at_start = true},
    {"RUST_LOG", .takes = "the old name of LOG_LEVEL", .parse = setting_rust_log, FIELD(log_level),
     .optional = true},
    {"LOG_LEVEL", .takes = "error, warn, info, debug or trace; info if unset",
     .parse = setting_log_level, FIELD(log_level), .optional = true},
};

enum {
    TELEGRAM_SIZE = sizeof TELEGRAM_TABLE / sizeof *TELEGRAM_TABLE,
    TABLE_SIZE = sizeof TABLE / sizeof *TABLE,
};

/* What gateway-agent alone has; a test compares them. */
static const char *const OF_GATEWAY[] = {"GATEWAY_NAME", "KEEPALIVE_SECS", "ALLOWED_TARGETS", NULL};

static const char *const OF_ENVIRONMENT[] = {
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "TZ",
    "LANG",
    "PATH",
    NULL,
};

static const struct vocabulary VOCABULARY = {
    .tables = {{TELEGRAM_TABLE, TELEGRAM_SIZE}, {TABLE, TABLE_SIZE}},
    .other_agent = "gateway-agent",
    .others = OF_GATEWAY,
    .environments = OF_ENVIRONMENT,
};

const char *vps_settings_env_file(const char *named, bool local)
{
    bool enough = settings_are_given(TABLE, TABLE_SIZE) &&
                  (local || settings_are_given(TELEGRAM_TABLE, TELEGRAM_SIZE));
    return named ? named : enough ? NULL : envfile_installed(VPS_ENV_FILE);
}

const struct vocabulary *vps_settings_vocabulary(void)
{
    return &VOCABULARY;
}

int vps_settings_check_names(const char *env_file, struct why *why)
{
    return vocabulary_check_file(&VOCABULARY, env_file, why);
}

static int check_together(const struct vps_settings *settings, struct why *why)
{
    unsigned first = settings->port_range_start, last = settings->port_range_end;
    if (last < first + 1) {
        return why_set(why, -EINVAL,
                       "PORT_RANGE_END is \"%u\"; it takes a port above PORT_RANGE_START, which is "
                       "%u: a session needs two ports",
                       last, first);
    }
    if (settings->control_port >= first && settings->control_port <= last) {
        return why_set(
            why, -EINVAL,
            "CONTROL_PORT is \"%u\"; it takes a port outside the range for sessions, %u to %u",
            settings->control_port, first, last);
    }
    return 0;
}

static int load(const struct settings_source *source, struct vps_settings *settings,
                struct why *why)
{
    int err = vocabulary_check(&VOCABULARY, source, why);
    if (err == 0 && !settings->local) {
        err = settings_load(source, TELEGRAM_TABLE, TELEGRAM_SIZE, settings, why);
    }
    if (err == 0) {
        err = settings_load(source, TABLE, TABLE_SIZE, settings, why);
    }
    return err < 0 ? err : check_together(settings, why);
}

int vps_settings_load(const char *env_file, bool local, struct vps_settings *ret_settings,
                      struct why *why)
{
    struct settings_source *source;
    int err = settings_open(env_file, &source, why);
    if (err < 0) {
        return err;
    }
    unsigned cores = uv_available_parallelism();
    struct vps_settings settings = {
        .local = local,
        .log_level = LOG_INFO,
        .relay_workers = cores < WORKERS_DEFAULT_MAX ? (long)cores : WORKERS_DEFAULT_MAX,
    };
    err = load(source, &settings, why);
    settings_close(source);
    if (err == 0) {
        *ret_settings = settings;
    }
    vps_settings_wipe(&settings);
    return err;
}

int vps_settings_take(const char *name, const char *text, struct vps_settings *settings,
                      struct why *why)
{
    int err = settings_take(TELEGRAM_TABLE, TELEGRAM_SIZE, name, text, settings, why);
    return err == -ENOENT ? settings_take(TABLE, TABLE_SIZE, name, text, settings, why) : err;
}

/* ---- read again ----------------------------------------------------------- */

static void show_admit(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", ADMIT_NAMES[*(const enum admit *)field]);
}

static const struct setting_form FORMS[] = {
    {parse_token, 0, NULL, NULL},
    {parse_url, 0, NULL, NULL},
    {parse_proxy, 0, NULL, NULL},
    {parse_bind, 0, NULL, NULL},
    {parse_state_dir, 0, NULL, NULL},
    {parse_admit, sizeof(enum admit), show_admit, NULL},
    {roster_parse_users, sizeof(struct user_list), NULL, roster_users_differ},
    {roster_parse_keys, sizeof(struct key_list), NULL, roster_keys_differ},
    {NULL, 0, NULL, NULL},
};

static int compare(const struct vps_settings *now, struct vps_settings *after,
                   struct changes *changes, struct why *why)
{
    int err = changes_find(TELEGRAM_TABLE, TELEGRAM_SIZE, FORMS, now, after, changes);
    err = err < 0 ? err : changes_find(TABLE, TABLE_SIZE, FORMS, now, after, changes);
    if (err < 0) {
        return why_set(why, err, "there is a setting that cannot be compared");
    }
    changes_hold_back(TELEGRAM_TABLE, TELEGRAM_SIZE, FORMS, now, after);
    changes_hold_back(TABLE, TABLE_SIZE, FORMS, now, after);
    struct why closer;
    err = check_together(after, &closer);
    return err < 0 ? why_set(why, err, "%.200s (as it stays until a restart)", closer.text) : 0;
}

int vps_settings_renew(const char *env_file, const struct vps_settings *now,
                       struct vps_settings *ret_after, struct changes *ret_changes, struct why *why)
{
    struct vps_settings after;
    struct changes changes = {0};
    struct sources sources = {0};
    int err = vps_settings_sources(env_file, &sources, why);
    sources_done(&sources);
    err = err < 0 ? err : vps_settings_load(env_file, now->local, &after, why);
    if (err < 0) {
        sources_explain(err, now->sandbox, why);
        return err;
    }
    err = compare(now, &after, &changes, why);
    if (err == 0) {
        *ret_after = after;
        *ret_changes = changes;
    }
    vps_settings_wipe(&after);
    return err;
}

int vps_settings_sources(const char *env_file, struct sources *sources, struct why *why)
{
    return sources_find(sources, env_file, &VOCABULARY, why);
}

void vps_settings_wipe(struct vps_settings *settings)
{
    crypto_wipe(settings->telegram_token, sizeof settings->telegram_token);
    crypto_wipe(settings->telegram_proxy, sizeof settings->telegram_proxy);
    crypto_wipe(&settings->tunnel_key, sizeof settings->tunnel_key);
}

void vps_settings_describe(void)
{
    settings_describe(TELEGRAM_TABLE, TELEGRAM_SIZE);
    settings_describe(TABLE, TABLE_SIZE);
}
