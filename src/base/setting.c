#include "base/setting.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/log.h"

/* ---- numbers -------------------------------------------------------------- */

/* Without the blanks, signs and bases that strtol() would take. */
static int parse_number(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)why;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || !isdigit((unsigned char)text[0]) || *end || value < s->min || value > s->max) {
        return -EINVAL;
    }
    *(long *)field = value;
    return 0;
}

/* Below the least there is no value: the field of an optional setting is 0 if it is not set. */
static void show_number(const struct setting *setting, const void *field, struct text *text)
{
    long number = *(const long *)field;
    if (setting->optional && number < setting->min) {
        text_add(text, "unset");
    } else {
        text_add(text, "%ld", number);
    }
}

const struct setting_type SETTING_NUMBER = {parse_number, sizeof(long), show_number, NULL};

static int parse_port(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct setting bounds = *s;
    bounds.min = 1;
    bounds.max = 65535;
    long port;
    int err = parse_number(&bounds, text, &port, why);
    if (err == 0) {
        *(uint16_t *)field = (uint16_t)port;
    }
    return err;
}

static void show_port(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%u", *(const uint16_t *)field);
}

const struct setting_type SETTING_PORT = {parse_port, sizeof(uint16_t), show_port, NULL};

/* ---- texts ---------------------------------------------------------------- */

int setting_text(const struct setting *s, const char *text, void *field, struct why *why)
{
    size_t len = strlen(text);
    if (len > (size_t)s->max) {
        return why_set(why, -EINVAL, "longer than %ld characters", s->max);
    }
    memcpy(field, text, len + 1);
    return 0;
}

const struct setting_type SETTING_TEXT = {setting_text, 0, NULL, NULL};

/* Absolute, since the programs that look for it do so from folders of their own. */
static int parse_folder(const struct setting *setting, const char *text, void *field,
                        struct why *why)
{
    if (text[0] != '/') {
        return why_set(why, -EINVAL, "not an absolute path");
    }
    return setting_text(setting, text, field, why);
}

const struct setting_type SETTING_FOLDER = {parse_folder, 0, NULL, NULL};

/* What people write around the name of a machine, in other places. */
static int explain_host(const char *text, struct why *why)
{
    const char *slashes = strstr(text, "://");
    size_t colons = 0;
    for (const char *c = text; *c; c++) {
        colons += *c == ':';
    }
    if (slashes && slashes - text <= 8) {
        return why_set(why, -EINVAL, "write it without %.*s://", (int)(slashes - text), text);
    }
    if (text[0] == '[') {
        return why_set(why, -EINVAL, "write an IPv6 address without brackets and port");
    }
    if (strchr(text, '@')) {
        return why_set(why, -EINVAL, "write it without a user");
    }
    if (strchr(text, '/')) {
        return why_set(why, -EINVAL, "write it without a path");
    }
    return colons == 1 ? why_set(why, -EINVAL, "write it without a port") : -EINVAL;
}

static int parse_host(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    if (host_kind(text) == HOST_INVALID) {
        return explain_host(text, why);
    }
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

const struct setting_type SETTING_HOST = {parse_host, 0, NULL, NULL};

/* ---- words ---------------------------------------------------------------- */

static int parse_switch(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    bool on = strcmp(text, "on") == 0;
    if (!on && strcmp(text, "off") != 0) {
        return -EINVAL;
    }
    *(bool *)field = on;
    return 0;
}

static void show_switch(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", *(const bool *)field ? "on" : "off");
}

const struct setting_type SETTING_SWITCH = {parse_switch, sizeof(bool), show_switch, NULL};

static int parse_log_level(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    return log_level_parse(text, field);
}

static int parse_rust_log(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    char word[16];
    while (*text) {
        size_t len = strcspn(text, ",");
        if (len < sizeof word) {
            memcpy(word, text, len);
            word[len] = '\0';
            if (log_level_parse(word, field) == 0) {
                return 0;
            }
        }
        text += len + (text[len] == ',');
    }
    return 0;
}

static void show_level(const struct setting *setting, const void *field, struct text *text)
{
    (void)setting;
    text_add(text, "%s", log_level_name(*(const enum log_level *)field));
}

const struct setting_type SETTING_LOG_LEVEL = {parse_log_level, sizeof(enum log_level), show_level,
                                               NULL};
const struct setting_type SETTING_RUST_LOG = {parse_rust_log, sizeof(enum log_level), show_level,
                                              NULL};
