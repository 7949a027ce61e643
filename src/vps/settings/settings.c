/*
 * A setting is a row here and a field in settings.h; what is new about how it is written is a type
 * beside its parser. Rows that gateway-agent has too are shared/common_settings.c's, and the names
 * that it alone has are in OF_GATEWAY, so that each program can say whose a setting is.
 */
#include "vps/settings/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/envfile.h"
#include "base/proxy.h"
#include "base/sources.h"
#include "shared/service.h"

enum { DAY = 86400 };

/* ---- what only this agent has --------------------------------------------- */

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

static const struct setting_type TOKEN = {parse_token, 0, NULL, NULL};

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
    /*
     * One spelling for one server: the state file keeps how far its updates are read by this
     * address.
     */
    while (err == 0 && url[strlen(url) - 1] == '/') {
        url[strlen(url) - 1] = '\0';
    }
    return err;
}

static const struct setting_type URL = {parse_url, 0, NULL, NULL};

static int parse_proxy(const struct setting *s, const char *text, void *field, struct why *why)
{
    int err = proxy_check(text, why);
    return err < 0 ? err : setting_text(s, text, field, why);
}

static const struct setting_type PROXY = {parse_proxy, 0, NULL, NULL};

static int parse_bind(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct addr addr;
    if (addr_parse(text, 0, &addr) < 0) {
        return -EINVAL;
    }
    return setting_text(s, text, field, why);
}

static const struct setting_type BIND = {parse_bind, 0, NULL, NULL};

static int parse_sign_path(const struct setting *s, const char *text, void *field, struct why *why)
{
    return text[0] == '/' || strcmp(text, "off") == 0
               ? setting_text(s, text, field, why)
               : why_set(why, -EINVAL, "not an absolute path");
}

static const struct setting_type SIGN_PATH = {parse_sign_path, 0, NULL, NULL};

/* One of a few words, which are the enum's, in its order. */
struct words {
    const char *const *names;
    unsigned count;
};

static int parse_word(const struct words *words, const char *text, unsigned *ret_at)
{
    for (unsigned i = 0; i < words->count; i++) {
        if (strcmp(text, words->names[i]) == 0) {
            *ret_at = i;
            return 0;
        }
    }
    return -EINVAL;
}

static const char *const ADMIT_NAMES[] = {"auto", "known", "ask"};
static const struct words ADMIT_WORDS = {ADMIT_NAMES, 3};

static int parse_admit(const struct setting *s, const char *text, void *field, struct why *why)
{
    unsigned at;
    (void)s;
    (void)why;
    if (parse_word(&ADMIT_WORDS, text, &at) < 0) {
        return -EINVAL;
    }
    *(enum admit *)field = (enum admit)at;
    return 0;
}

static void show_admit(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", ADMIT_NAMES[*(const enum admit *)field]);
}

static const struct setting_type ADMIT = {parse_admit, sizeof(enum admit), show_admit, NULL};

static const char *const AUDIT_FULL_NAMES[] = {"refuse", "continue"};
static const struct words AUDIT_FULL_WORDS = {AUDIT_FULL_NAMES, 2};

static int parse_audit_full(const struct setting *s, const char *text, void *field, struct why *why)
{
    unsigned at;
    (void)s;
    (void)why;
    if (parse_word(&AUDIT_FULL_WORDS, text, &at) < 0) {
        return -EINVAL;
    }
    *(enum audit_full *)field = (enum audit_full)at;
    return 0;
}

static void show_audit_full(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", AUDIT_FULL_NAMES[*(const enum audit_full *)field]);
}

static const struct setting_type AUDIT_FULL = {parse_audit_full, sizeof(enum audit_full),
                                               show_audit_full, NULL};

static const char *const DATA_PORT_NAMES[] = {"random", "control"};
static const struct words DATA_PORT_WORDS = {DATA_PORT_NAMES, 2};

static int parse_data_port(const struct setting *s, const char *text, void *field, struct why *why)
{
    unsigned at;
    (void)s;
    (void)why;
    if (parse_word(&DATA_PORT_WORDS, text, &at) < 0) {
        return -EINVAL;
    }
    *(enum data_port *)field = (enum data_port)at;
    return 0;
}

static void show_data_port(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", DATA_PORT_NAMES[*(const enum data_port *)field]);
}

static const struct setting_type DATA_PORT = {parse_data_port, sizeof(enum data_port),
                                              show_data_port, NULL};

/* ---- the tables ----------------------------------------------------------- */

#define FIELD(name) \
    .offset = offsetof(struct vps_settings, name), .field = sizeof(((struct vps_settings *)0)->name)

/* Not read with --local. */
static const struct setting TELEGRAM[] = {
    {"TELEGRAM_TOKEN", .takes = "the bot's token from @BotFather, like 123456:ABC-DEF",
     .type = &TOKEN, FIELD(telegram_token), .max = TOKEN_MAX, .secret = true, .at_start = true},
    {"ALLOWED_USERS", .takes = "numeric Telegram user IDs, separated by commas",
     .type = &SETTING_USER_LIST, FIELD(allowed_users), .instead = "POLICY_FILE"},
    {"TELEGRAM_API_URL", "https://api.telegram.org",
     "the http or https address of a Bot API server", &URL, FIELD(telegram_api_url), .max = URL_MAX,
     .at_start = true},
    {"TELEGRAM_PROXY",
     .takes = "the proxy on the way to the Bot API: http://, https:// or socks5h://, then "
              "[USER:PASSWORD@]HOST:PORT",
     .type = &PROXY, FIELD(telegram_proxy), .max = URL_MAX, .secret = true, .optional = true,
     .at_start = true},
};

/*
 * What is bound or opened when the agent starts takes a restart (at_start); ranges and limits are
 * for sessions that are opened later.
 */
static const struct setting GENERAL[] = {
    {"POLICY_FILE",
     .takes = "the absolute path of a policy, which says who may reach what, when and for how long",
     .type = &SETTING_POLICY, FIELD(policy_file), .optional = true},
    {"VPS_HOST", .takes = "the public name or IP address of this server", .type = &SETTING_HOST,
     FIELD(vps_host)},
    {"TUNNEL_KEY",
     .takes = "the 64 hex digits that vps-agent --generate-key prints, or NAME:KEY,NAME:KEY, a "
              "key for each gateway",
     .type = &SETTING_KEY_LIST, FIELD(tunnel_key), .secret = true, .optional = true},
    {"CONTROL_PORT", "9000", "a port, 1 to 65535", &SETTING_PORT, FIELD(control_port),
     .at_start = true},
    {"ENTRANCE_PORT", .takes = "a port, 1 to 65535, for all sessions beside their own",
     .type = &SETTING_PORT, FIELD(entrance_port), .optional = true, .at_start = true},
    {"DATA_PORT", "random",
     "random or control: whether each session's data channels have a port of the range, or come "
     "to CONTROL_PORT",
     &DATA_PORT, FIELD(data_port), .at_start = true},
    {"PORT_RANGE_START", "20000", "a port, 1 to 65535", &SETTING_PORT, FIELD(port_range_start)},
    {"PORT_RANGE_END", "30000", "a port, 1 to 65535", &SETTING_PORT, FIELD(port_range_end)},
    {"BIND_ADDRESS", "::", "an IP address of this server; :: is all addresses, IPv4 and IPv6",
     &BIND, FIELD(bind_address), .max = ADDR_HOST_MAX - 1, .at_start = true},
    {"SESSION_TIMEOUT", "120", "seconds, 1 to 86400", &SETTING_NUMBER, FIELD(session_timeout),
     .min = 1, .max = DAY},
    {"RECONNECT_GRACE", "30", "seconds, 0 to 3600", &SETTING_NUMBER, FIELD(reconnect_grace),
     .min = 0, .max = 3600},
    {"MAX_CONNECTIONS",
     .takes = "connections of a session at once, 1 to 64; if unset, 8 for SSH, 3 for RDP, "
              "4 for VNC and 32 for TCP",
     .type = &SETTING_NUMBER, FIELD(max_connections), .min = 1, .max = 64, .optional = true},
    {"IDLE_TIMEOUT", "3600", "seconds, 1 to 604800, or 0 for none", &SETTING_NUMBER,
     FIELD(idle_timeout), .min = 0, .max = 7 * DAY},
    {"MAX_SESSION_TIME", "43200", "seconds, 1 to 604800, or 0 for none", &SETTING_NUMBER,
     FIELD(max_session_time), .min = 0, .max = 7 * DAY},
    {"MAX_SESSIONS_PER_USER", "8", "a number, 1 to 10000", &SETTING_NUMBER,
     FIELD(max_sessions_per_user), .min = 1, .max = 10000},
    {"MAX_SESSIONS", "256", "a number, 1 to 10000", &SETTING_NUMBER, FIELD(max_sessions), .min = 1,
     .max = 10000},
    {"ADMIT", "known", "auto, known or ask", &ADMIT, FIELD(admit)},
    {"KNOWN_DAYS", "30", "days, 1 to 3650", &SETTING_NUMBER, FIELD(known_days), .min = 1,
     .max = 3650},
    {"AUDIT_FULL", "refuse",
     "refuse or continue: whether new sessions are opened while they cannot be recorded",
     &AUDIT_FULL, FIELD(audit_full)},
    {"AUDIT_DAYS", "0", "days, 1 to 36500, or 0 for ever", &SETTING_NUMBER, FIELD(audit_days),
     .min = 0, .max = 36500},
    {"APPROVAL_TIMEOUT", "600", "seconds, 1 to 86400", &SETTING_NUMBER, FIELD(approval_timeout),
     .min = 1, .max = DAY},
    {"FACTOR_MINUTES", "15", "minutes, 1 to 1440, or 0 for none", &SETTING_NUMBER,
     FIELD(factor_minutes), .min = 0, .max = 1440},
    {"STATE_DIR", STATE_DIR_DEFAULT, "an absolute path of at most 90 characters", &SETTING_FOLDER,
     FIELD(state_dir), .max = STATE_DIR_MAX, .at_start = true},
    {"RDP_CLIPBOARD", "off", "on or off: whether .rdp files share the clipboard", &SETTING_SWITCH,
     FIELD(rdp_clipboard)},
    {"RDP_SIGN_CERT",
     .takes = "the absolute path of a certificate in PEM, with its chain, by which .rdp files are "
              "signed; or off",
     .type = &SIGN_PATH, FIELD(rdp_sign_cert), .max = SIGN_PATH_MAX, .optional = true},
    {"RDP_SIGN_KEY", .takes = "the absolute path of its key", .type = &SETTING_FOLDER,
     FIELD(rdp_sign_key), .max = SIGN_PATH_MAX, .optional = true},
};

static const struct settings_table TABLES[] = {
    {TELEGRAM, sizeof TELEGRAM / sizeof *TELEGRAM, 0},
    {GENERAL, sizeof GENERAL / sizeof *GENERAL, 0},
    COMMON_SETTINGS_TABLE(offsetof(struct vps_settings, common)),
    {NULL, 0, 0},
};

/* Without Telegram, with --local, from the second one on. */
static const struct settings_table *tables_for(bool local)
{
    return local ? TABLES + 1 : TABLES;
}

/* What gateway-agent alone has; a test compares them. */
static const char *const OF_GATEWAY[] = {"GATEWAY_NAME", "KEEPALIVE_SECS", "ALLOWED_TARGETS",
                                         "VPS_PROXY",    "DISCOVER",       NULL};

/*
 * What libraries and service managers read there: known, so that it is not taken for a misspelt
 * setting, but of no effect in an env file.
 */
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

const struct vocabulary VPS_VOCABULARY = {
    .tables = TABLES,
    .other_agent = "gateway-agent",
    .others = OF_GATEWAY,
    .environments = OF_ENVIRONMENT,
};

/* ---- reading -------------------------------------------------------------- */

const char *vps_settings_env_file(const char *named, bool local)
{
    return named                                   ? named
           : settings_are_given(tables_for(local)) ? NULL
                                                   : envfile_installed(VPS_ENV_FILE);
}

/* One without the other signs nothing, and nobody would notice. */
static int check_signing(const struct vps_settings *settings, struct why *why)
{
    const char *certificate = settings->rdp_sign_cert, *key = settings->rdp_sign_key;
    bool needs_key = certificate[0] == '/';
    if (needs_key != (key[0] != '\0') && strcmp(certificate, "off") != 0) {
        return why_set(
            why, -EINVAL, "%s is set, and %s is not; it takes the absolute path of its %s",
            needs_key ? "RDP_SIGN_CERT" : "RDP_SIGN_KEY",
            needs_key ? "RDP_SIGN_KEY" : "RDP_SIGN_CERT", needs_key ? "key" : "certificate");
    }
    return 0;
}

/* What no row can say by itself. Asked again for settings that are held back until a restart. */
static int check_together(const struct vps_settings *settings, struct why *why)
{
    unsigned first = settings->port_range_start, last = settings->port_range_end;
    if (settings->data_port == DATA_PORT_CONTROL && last < first) {
        return why_set(why, -EINVAL,
                       "PORT_RANGE_END is \"%u\"; it takes a port that is not below "
                       "PORT_RANGE_START, which is %u",
                       last, first);
    }
    if (settings->data_port == DATA_PORT_RANDOM && last < first + 1) {
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
    if ((settings->entrance_port >= first && settings->entrance_port <= last) ||
        settings->entrance_port == settings->control_port) {
        return why_set(why, -EINVAL,
                       "ENTRANCE_PORT is \"%u\"; it takes a port that is not CONTROL_PORT, and "
                       "outside the range for sessions, %u to %u",
                       settings->entrance_port, first, last);
    }
    return check_signing(settings, why);
}

int vps_settings_load(const char *env_file, bool local, struct vps_settings *ret_settings,
                      struct why *why)
{
    struct vps_settings settings = {.local = local, .common = common_settings_default()};
    int err = vocabulary_load(&VPS_VOCABULARY, tables_for(local), env_file, &settings, why);
    err = err < 0 ? err : check_together(&settings, why);
    err = err < 0 ? err : policy_setting_read(&settings.policy_file, why);
    if (err == 0) {
        policy_setting_name_users(&settings.policy_file, &settings.allowed_users);
        /* Not before all is well: a failed reload must not touch the settings in force. */
        *ret_settings = settings;
        settings.policy_file.policy = NULL; /* it has moved */
    }
    vps_settings_wipe(&settings);
    return err;
}

int vps_settings_take(const char *name, const char *text, struct vps_settings *settings,
                      struct why *why)
{
    return settings_take(TABLES, name, text, settings, why);
}

/* ---- read again ----------------------------------------------------------- */

/* What is held back until a restart and what is new have to go together, too. */
static int compare(const struct vps_settings *now, struct vps_settings *after,
                   struct changes *changes, struct why *why)
{
    struct why closer;
    changes_find(TABLES, now, after, changes);
    changes_hold_back(TABLES, now, after);
    int err = check_together(after, &closer);
    return err < 0 ? why_set(why, err, "%.200s (as it stays until a restart)", closer.text) : 0;
}

int vps_settings_renew(const char *env_file, const struct vps_settings *now,
                       struct vps_settings *ret_after, struct changes *ret_changes, struct why *why)
{
    struct vps_settings after;
    struct changes changes = {0};
    int err = sources_check(env_file, &VPS_VOCABULARY, why);
    err = err < 0 ? err : vps_settings_load(env_file, now->local, &after, why);
    if (err < 0) {
        sources_explain(err, now->common.sandbox, why);
        return err;
    }
    err = compare(now, &after, &changes, why);
    if (err == 0) {
        *ret_after = after;
        *ret_changes = changes;
        after.policy_file.policy = NULL; /* it has moved */
    }
    vps_settings_wipe(&after);
    return err;
}

void vps_settings_wipe(struct vps_settings *settings)
{
    crypto_wipe(settings->telegram_token, sizeof settings->telegram_token);
    crypto_wipe(settings->telegram_proxy, sizeof settings->telegram_proxy);
    crypto_wipe(&settings->tunnel_key, sizeof settings->tunnel_key);
    policy_free(settings->policy_file.policy);
    settings->policy_file.policy = NULL;
}
