#include "vps/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "base/settings.h"

enum {
    WORKERS_DEFAULT_MAX = 4,
    WORKERS_MAX = 64,
    KEY_HEX = CRYPTO_KEY_SIZE * 2,
    DAY = 86400,
    UNTIL_DIGITS = 12
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

static int parse_users(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct vps_settings *settings = (struct vps_settings *)((char *)field - s->offset);
    settings->allowed_users.count = 0;
    while (*text) {
        char *end;
        errno = 0;
        long long id = strtoll(text, &end, 10);
        end += strspn(end, " ");
        if (errno || end == text || id <= 0 || (*end && *end != ',')) {
            return -EINVAL;
        }
        if (settings->allowed_users.count == USERS_MAX) {
            return why_set(why, -EINVAL, "more than %d users", USERS_MAX);
        }
        settings->allowed_users.ids[settings->allowed_users.count++] = id;
        text = *end ? end + 1 : end;
    }
    return settings->allowed_users.count > 0 ? 0 : -EINVAL;
}

/* "@UNTIL" at the end of an entry, which is cut off; its first use must come before. */
static int parse_until(char *entry, int64_t *ret_until, struct why *why)
{
    char *at = strchr(entry, '@');
    *ret_until = 0;
    if (!at) {
        return 0;
    }
    size_t digits = strspn(at + 1, "0123456789");
    *at = '\0';
    if (digits == 0 || digits > UNTIL_DIGITS || at[1 + digits]) {
        return why_set(why, -EINVAL, "what follows an @ is no Unix time");
    }
    *ret_until = strtoll(at + 1, NULL, 10);
    return 0;
}

/* HEX or NAME:HEX. */
static int parse_name_and_key(const char *entry, struct gateway_key *key, struct why *why)
{
    size_t len = strlen(entry);
    if (len < KEY_HEX) {
        return why_set(why, -EINVAL, "a key of %zu characters", len);
    }
    const char *hex = entry + len - KEY_HEX;
    size_t name_len = hex > entry ? (size_t)(hex - entry) - 1 : 0;
    if (name_len > GATEWAY_NAME_MAX || (hex > entry && entry[name_len] != ':')) {
        return -EINVAL;
    }
    memcpy(key->name, entry, name_len);
    key->name[name_len] = '\0';
    int err = crypto_unhex(hex, key->key, sizeof key->key);
    return err == 0 && hex > entry && !gateway_name_is_valid(key->name) ? -EINVAL : err;
}

/* One entry of TUNNEL_KEY, len characters: HEX, NAME:HEX or NAME:HEX@UNTIL. */
static int parse_key(const char *text, size_t len, struct gateway_key *key, struct why *why)
{
    char entry[GATEWAY_NAME_MAX + 1 + KEY_HEX + 1 + UNTIL_DIGITS + 1];
    if (len >= sizeof entry) {
        return why_set(why, -EINVAL, "a key of %zu characters", len);
    }
    memcpy(entry, text, len);
    entry[len] = '\0';
    int err = parse_until(entry, &key->until, why);
    err = err < 0 ? err : parse_name_and_key(entry, key, why);
    if (err == 0 && key->until && !key->name[0]) {
        err = why_set(why, -EINVAL,
                      "only the key of one gateway, NAME:KEY, can have an @ and a "
                      "time");
    }
    crypto_wipe(entry, sizeof entry);
    return err;
}

static int refuse_same(const struct gateway_key *a, const struct gateway_key *b, struct why *why)
{
    const struct gateway_key *named = b->name[0] ? b : a, *other = named == a ? b : a;
    return why_set(why, -EINVAL,
                   "%s%s and %s have the same key: each gateway needs its own (vps-agent --invite "
                   "%s --new-key)",
                   other->name[0] ? "the gateways " : "the gateways without a name", other->name,
                   named->name, named->name);
}

/* No gateway has two keys, no key two gateways; and one may be of all those that have none. */
static int check_keys(const struct gateway_key *keys, unsigned count, bool to_mend, struct why *why)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (!keys[i].name[0] && !keys[k].name[0]) {
                return why_set(why, -EINVAL,
                               "two keys without a name: only one can be; the others need their "
                               "gateways' names");
            }
            if (strcasecmp(keys[k].name, keys[i].name) == 0) {
                return why_set(why, -EINVAL, "two keys for the gateway %s", keys[i].name);
            }
            if (!to_mend && crypto_equal(keys[k].key, keys[i].key, sizeof keys[i].key)) {
                return refuse_same(&keys[k], &keys[i], why);
            }
        }
    }
    return 0;
}

static int parse_keys(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct vps_settings *settings = (struct vps_settings *)((char *)field - s->offset);
    settings->tunnel_key.count = 0;
    for (;;) {
        if (settings->tunnel_key.count == GATEWAYS_MAX) {
            return why_set(why, -EINVAL, "more than %d keys", GATEWAYS_MAX);
        }
        size_t len = strcspn(text, ",");
        struct gateway_key *key = &settings->tunnel_key.keys[settings->tunnel_key.count++];
        int err = parse_key(text, len, key, why);
        if (err < 0) {
            return err;
        }
        if (!text[len]) {
            break;
        }
        text += len + 1 + strspn(text + len + 1, " ");
    }
    return check_keys(settings->tunnel_key.keys, settings->tunnel_key.count,
                      settings->tunnel_key.to_mend, why);
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

static int parse_admit(const struct setting *s, const char *text, void *field, struct why *why)
{
    static const char *const NAMES[] = {"auto", "known", "ask"};
    (void)s;
    (void)why;
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (strcmp(text, NAMES[i]) == 0) {
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
     .parse = parse_token, FIELD(telegram_token), .max = TOKEN_MAX, .secret = true},
    {"ALLOWED_USERS", .takes = "numeric Telegram user IDs, separated by commas",
     .parse = parse_users, FIELD(allowed_users)},
    {"TELEGRAM_API_URL", "https://api.telegram.org",
     "the http or https address of a Bot API server", parse_url, FIELD(telegram_api_url),
     .max = URL_MAX},
};

static const struct setting TABLE[] = {
    {"VPS_HOST", .takes = "the public name or IP address of this server", .parse = setting_host,
     FIELD(vps_host)},
    {"TUNNEL_KEY",
     .takes = "the 64 hex digits that vps-agent --generate-key prints, or NAME:KEY,NAME:KEY, a "
              "key for each gateway",
     .parse = parse_keys, FIELD(tunnel_key), .secret = true},
    {"CONTROL_PORT", "9000", "a port, 1 to 65535", setting_port, FIELD(control_port)},
    {"PORT_RANGE_START", "20000", "a port, 1 to 65535", setting_port, FIELD(port_range_start)},
    {"PORT_RANGE_END", "30000", "a port, 1 to 65535", setting_port, FIELD(port_range_end)},
    {"BIND_ADDRESS", "::", "an IP address of this server; :: is all of both families", parse_bind,
     FIELD(bind_address), .max = ADDR_HOST_MAX - 1},
    {"SESSION_TIMEOUT", "120", "seconds, 1 to 86400", setting_number, FIELD(session_timeout),
     .min = 1, .max = DAY},
    {"RECONNECT_GRACE", "30", "seconds, 0 to 3600", setting_number, FIELD(reconnect_grace),
     .min = 0, .max = 3600},
    {"MAX_CONNECTIONS",
     .takes = "connections of a session at once, 1 to 64; if unset 8 for SSH and 3 for RDP",
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
     FIELD(state_dir), .max = STATE_DIR_MAX},
    {"RELAY_WORKERS",
     .takes = "threads that carry the users' bytes, 1 to 64; if unset one per core, at most 4",
     .parse = setting_number, FIELD(relay_workers), .min = 1, .max = WORKERS_MAX, .optional = true},
    {"RDP_CLIPBOARD", "off", "on or off: whether .rdp files share the clipboard", setting_switch,
     FIELD(rdp_clipboard)},
    {"SANDBOX", "on", "on, or off for debugging", setting_switch, FIELD(sandbox)},
    {"RUST_LOG", .takes = "the older name of LOG_LEVEL", .parse = setting_rust_log,
     FIELD(log_level), .optional = true},
    {"LOG_LEVEL", .takes = "error, warn, info, debug or trace; info if unset",
     .parse = setting_log_level, FIELD(log_level), .optional = true},
};

enum {
    TELEGRAM_SIZE = sizeof TELEGRAM_TABLE / sizeof *TELEGRAM_TABLE,
    TABLE_SIZE = sizeof TABLE / sizeof *TABLE,
};

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
        return why_set(why, -EINVAL,
                       "CONTROL_PORT is \"%u\"; it takes a port outside of the range of sessions, "
                       "%u to %u",
                       settings->control_port, first, last);
    }
    return 0;
}

static int load(const struct settings_source *source, struct vps_settings *settings,
                struct why *why)
{
    int err = 0;
    if (!settings->local) {
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

void vps_settings_wipe(struct vps_settings *settings)
{
    crypto_wipe(settings->telegram_token, sizeof settings->telegram_token);
    crypto_wipe(&settings->tunnel_key, sizeof settings->tunnel_key);
}

void vps_settings_describe(void)
{
    settings_describe(TELEGRAM_TABLE, TELEGRAM_SIZE);
    settings_describe(TABLE, TABLE_SIZE);
}
