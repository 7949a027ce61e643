#include "base/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/envfile.h"
#include "base/host.h"
#include "base/log.h"
#include "base/text.h"

enum { VALUE_MAX = SETTING_VALUE_MAX };

struct entry {
    struct entry *next;
    char *name; /* the value follows its NUL */
    char *value;
    size_t size;
};

struct settings_source {
    struct entry *entries;
};

/* ---- the env file --------------------------------------------------------- */

static int add_entry(struct settings_source *source, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    struct entry *entry = malloc(sizeof *entry + name_size + value_size);
    if (!entry) {
        return -ENOMEM;
    }
    entry->name = (char *)(entry + 1);
    entry->value = entry->name + name_size;
    entry->size = sizeof *entry + name_size + value_size;
    memcpy(entry->name, name, name_size);
    memcpy(entry->value, value, value_size);
    entry->next = source->entries; /* so that the last of two lines counts, as in a shell */
    source->entries = entry;
    return 0;
}

static int read_line(struct settings_source *source, char *line)
{
    char *name, *value;
    int err = envfile_split(line, &name, &value);
    return err == -ENODATA ? 0 : err < 0 ? err : add_entry(source, name, value);
}

static int read_env_file(struct settings_source *source, const char *path, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        int err = -errno;
        return why_set(why, err, "cannot read the env file %s: %s", path, strerror(-err));
    }
    char line[ENVFILE_LINE_MAX];
    int err = 0;
    for (unsigned number = 1; err == 0 && fgets(line, sizeof line, file); number++) {
        bool whole = strchr(line, '\n') || feof(file);
        err = whole ? read_line(source, line) : -EINVAL;
        if (err == -EINVAL) {
            why_set(why, err, "%s, line %u: not of the form NAME=value", path, number);
        }
    }
    if (err == 0 && ferror(file)) {
        err = why_set(why, -EIO, "cannot read the env file %s: is it a file?", path);
    }
    crypto_wipe(line, sizeof line);
    fclose(file);
    return err;
}

int settings_open(const char *env_file, struct settings_source **ret_source, struct why *why)
{
    struct settings_source *source = calloc(1, sizeof *source);
    if (!source) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    int err = env_file ? read_env_file(source, env_file, why) : 0;
    if (err < 0) {
        settings_close(source);
        return err;
    }
    *ret_source = source;
    return 0;
}

void settings_close(struct settings_source *source)
{
    if (!source) {
        return;
    }
    while (source->entries) {
        struct entry *entry = source->entries;
        source->entries = entry->next;
        crypto_wipe(entry + 1, entry->size - sizeof *entry);
        free(entry);
    }
    free(source);
}

/* ---- values --------------------------------------------------------------- */

static const char *in_file(const struct settings_source *source, const char *name)
{
    for (const struct entry *entry = source->entries; entry; entry = entry->next) {
        if (strcmp(entry->name, name) == 0) {
            return entry->value[0] ? entry->value : NULL;
        }
    }
    return NULL;
}

static const char *in_environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* The first line of the file that NAME_FILE names. */
static int read_secret_file(const char *name, const char *path, char value[VALUE_MAX],
                            struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        int err = -errno;
        return why_set(why, err, "%s_FILE is %s, which cannot be read: %s", name, path,
                       strerror(-err));
    }
    if (!fgets(value, VALUE_MAX, file)) {
        value[0] = '\0';
    }
    bool whole = strlen(value) < VALUE_MAX - 1; /* else: a part of it might be taken for all */
    fclose(file);
    if (!whole) {
        return why_set(why, -EINVAL, "%s_FILE is %s, whose first line is too long", name, path);
    }
    char *trimmed = text_trim(value);
    memmove(value, trimmed, strlen(trimmed) + 1);
    return value[0] ? 0
                    : why_set(why, -EINVAL, "%s_FILE is %s, whose first line is empty", name, path);
}

/* The environment comes before the env file, NAME before NAME_FILE in each. */
static const char *look_up(const struct settings_source *source, const char *name,
                           const char **ret_path)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    const char *text = in_environment(name);
    *ret_path = text ? NULL : in_environment(file_name);
    if (!text && !*ret_path) {
        text = in_file(source, name);
        *ret_path = text ? NULL : in_file(source, file_name);
    }
    return text;
}

const char *settings_file_of(const struct settings_source *source, const char *name)
{
    const char *path;
    look_up(source, name, &path);
    return path;
}

int settings_find(const struct settings_source *source, const char *name, char value[VALUE_MAX],
                  struct why *why)
{
    const char *path;
    const char *text = look_up(source, name, &path);
    value[0] = '\0';
    if (path) {
        return read_secret_file(name, path, value, why);
    }
    if (text && strlen(text) >= VALUE_MAX) {
        return why_set(why, -EINVAL, "%s is longer than %d characters", name, VALUE_MAX - 1);
    }
    snprintf(value, VALUE_MAX, "%s", text ? text : "");
    return 0;
}

/* Parses a value, and says what is wrong with it. */
static int take(const struct setting *setting, const char *text, void *into, struct why *why)
{
    struct why closer = {""};
    int err = setting->parse(setting, text, (char *)into + setting->offset, &closer);
    if (err < 0) {
        const char *shown = setting->secret ? "(not shown)" : text;
        why_set(why, err, "%s is \"%.100s\"%s%s; it takes %s", setting->name, shown,
                closer.text[0] ? ": " : "", closer.text, setting->takes);
    }
    return err;
}

static int load_one(const struct settings_source *source, const struct setting *setting, void *into,
                    char value[VALUE_MAX], struct why *why)
{
    int err = settings_find(source, setting->name, value, why);
    if (err < 0) {
        return err;
    }
    if (!value[0] && !setting->default_value) {
        return setting->optional ? 0
                                 : why_set(why, -EINVAL, "%s is not set; it takes %s",
                                           setting->name, setting->takes);
    }
    return take(setting, value[0] ? value : setting->default_value, into, why);
}

int settings_load(const struct settings_source *source, const struct setting *table, size_t count,
                  void *into, struct why *why)
{
    char value[VALUE_MAX];
    int err = 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = load_one(source, &table[i], into, value, why);
    }
    crypto_wipe(value, sizeof value);
    return err;
}

int settings_take(const struct setting *table, size_t count, const char *name, const char *text,
                  void *into, struct why *why)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return take(&table[i], text, into, why);
        }
    }
    return -ENOENT;
}

void settings_describe(const struct setting *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *s = &table[i];
        printf("  %-22s %s", s->name, s->takes);
        if (s->default_value && s->default_value[0]) {
            printf(" (default: %s)", s->default_value);
        } else if (!s->default_value && !s->optional) {
            printf(" (required)");
        }
        putchar('\n');
    }
}

/* ---- parsers -------------------------------------------------------------- */

int setting_number(const struct setting *s, const char *text, void *field, struct why *why)
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

int setting_port(const struct setting *s, const char *text, void *field, struct why *why)
{
    struct setting bounds = *s;
    bounds.min = 1;
    bounds.max = 65535;
    long port;
    int err = setting_number(&bounds, text, &port, why);
    if (err == 0) {
        *(uint16_t *)field = (uint16_t)port;
    }
    return err;
}

int setting_text(const struct setting *s, const char *text, void *field, struct why *why)
{
    size_t len = strlen(text);
    if (len > (size_t)s->max) {
        return why_set(why, -EINVAL, "longer than %ld characters", s->max);
    }
    memcpy(field, text, len + 1);
    return 0;
}

int setting_host(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    if (host_kind(text) == HOST_INVALID) {
        return -EINVAL;
    }
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

int setting_switch(const struct setting *s, const char *text, void *field, struct why *why)
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

int setting_log_level(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    (void)why;
    return log_level_parse(text, field);
}

int setting_rust_log(const struct setting *s, const char *text, void *field, struct why *why)
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
