#include "base/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/envfile.h"
#include "base/help.h"
#include "base/host.h"
#include "base/log.h"
#include "base/text.h"

enum { VALUE_MAX = SETTING_VALUE_MAX };

struct entry {
    struct entry *next;
    char *name; /* the value follows its NUL */
    char *value;
    size_t size;
    unsigned line;
};

struct settings_source {
    struct entry *entries;
    unsigned line; /* that is being read */
    char *path;    /* of the env file, or NULL */
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
    entry->line = source->line;
    memcpy(entry->name, name, name_size);
    memcpy(entry->value, value, value_size);
    entry->next = source->entries; /* so that the last of two lines counts, as in a shell */
    source->entries = entry;
    return 0;
}

/* A NUL, or the CR of a Macintosh: a part of the line would be taken for all, or for a comment. */
static int check_characters(const char *line, size_t len, struct why *why)
{
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n')) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ' && line[i] != '\t') {
            return why_set(why, -EINVAL,
                           "a control character in it; lines end with LF, or CR and LF");
        }
    }
    return 0;
}

static int read_line(struct settings_source *source, char *line, size_t len, bool whole,
                     struct why *why)
{
    char *name, *value;
    size_t before = strlen(line);
    int err = source->line == 1 ? envfile_skip_mark(line, why) : 0;
    err = err < 0 ? err : check_characters(line, len - (before - strlen(line)), why);
    if (err == 0 && !whole) {
        err = why_set(why, -EINVAL, "not of the form NAME=value");
    }
    err = err < 0 ? err : envfile_split(line, &name, &value, why);
    return err == -ENODATA ? 0 : err < 0 ? err : add_entry(source, name, value);
}

static int read_env_file(struct settings_source *source, FILE *file, struct why *why)
{
    char line[ENVFILE_LINE_MAX];
    struct why closer = {"out of memory"};
    int err = 0;
    for (;;) {
        memset(line, '\n', sizeof line); /* so that the last NUL is where fgets() has ended */
        if (err < 0 || !fgets(line, sizeof line, file)) {
            break;
        }
        size_t len = (size_t)((char *)memrchr(line, '\0', sizeof line) - line);
        source->line++;
        err = read_line(source, line, len, memchr(line, '\n', len) || feof(file), &closer);
    }
    if (err < 0) {
        why_set(why, err, "%s, line %u: %s", source->path, source->line, closer.text);
    } else if (ferror(file)) {
        err = why_set(why, -EIO, "cannot read the env file %s: is it a file?", source->path);
    }
    crypto_wipe(line, sizeof line);
    return err;
}

static int open_env_file(struct settings_source *source, const char *path, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        int err = -errno;
        return why_set(why, err, "cannot read the env file %s: %s%s", path, strerror(-err),
                       err == -EACCES ? "; run this as root or as the user of the service" : "");
    }
    char buffer[BUFSIZ]; /* stdio's own would not be wiped */
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    source->path = strdup(path);
    int err = source->path ? read_env_file(source, file, why)
                           : why_set(why, -ENOMEM, "out of memory");
    fclose(file);
    crypto_wipe(buffer, sizeof buffer);
    return err;
}

int settings_open(const char *env_file, struct settings_source **ret_source, struct why *why)
{
    struct settings_source *source = calloc(1, sizeof *source);
    if (!source) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    int err = env_file ? open_env_file(source, env_file, why) : 0;
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
    free(source->path);
    free(source);
}

void settings_each_line(const struct settings_source *source,
                        void (*fn)(void *arg, const struct settings_line *line), void *arg)
{
    for (const struct entry *entry = source->entries; entry; entry = entry->next) {
        struct settings_line line = {source->path, entry->line, entry->name, entry->value};
        fn(arg, &line);
    }
}

/* ---- values --------------------------------------------------------------- */

static const struct entry *find_entry(const struct settings_source *source, const char *name)
{
    const struct entry *entry = source->entries;
    while (entry && strcmp(entry->name, name) != 0) {
        entry = entry->next;
    }
    return entry;
}

static const char *in_file(const struct settings_source *source, const char *name)
{
    const struct entry *entry = find_entry(source, name);
    return entry && entry->value[0] ? entry->value : NULL;
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
    char buffer[BUFSIZ];
    struct why closer;
    int err = 0;
    value[0] = '\0';
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    if (fgets(value, VALUE_MAX, file)) {
        err = envfile_skip_mark(value, &closer);
    }
    bool whole = strlen(value) < VALUE_MAX - 1; /* else: a part of it might be taken for all */
    fclose(file);
    crypto_wipe(buffer, sizeof buffer);
    if (err < 0) {
        return why_set(why, -EINVAL, "%s_FILE is %s, which cannot be used: %s", name, path,
                       closer.text);
    }
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

bool settings_is_given(const char *name)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    return in_environment(name) || in_environment(file_name);
}

bool settings_are_given(const struct setting *table, size_t count)
{
    size_t i = 0;
    while (i < count &&
           (table[i].default_value || table[i].optional || settings_is_given(table[i].name))) {
        i++;
    }
    return i == count;
}

int settings_peek(const char *env_file, const char *name, char value[VALUE_MAX], struct why *why)
{
    struct settings_source *source;
    int err = settings_open(settings_is_given(name) ? NULL : env_file, &source, why);
    if (err == 0) {
        err = settings_find(source, name, value, why);
        settings_close(source);
    }
    return err;
}

/* What a value has around it that is none of it, in words; or NULL. */
static const char *wrapping_of(const char *name, const char *text)
{
    size_t len = strlen(text), name_len = strlen(name);
    if (strstr(text, " #") || strstr(text, "\t#")) {
        return "the comment after it is taken as part of it";
    }
    if (text[0] == '"' || text[0] == '\'' || text[len - 1] == '"' || text[len - 1] == '\'') {
        return "the quotes around it are taken as part of it";
    }
    if (strncmp(text, name, name_len) == 0 && text[name_len] == '=') {
        return "it begins with its own name";
    }
    if (isspace((unsigned char)text[0]) || isspace((unsigned char)text[len - 1])) {
        return "there is a space before or after it";
    }
    return NULL;
}

/* Parses a value, and says what is wrong with it. */
static int take(const struct setting *setting, const char *text, void *into, struct why *why)
{
    struct why closer = {""};
    int err = setting->parse(setting, text, (char *)into + setting->offset, &closer);
    if (err == 0) {
        return 0;
    }
    const char *wrapping = text[0] ? wrapping_of(setting->name, text) : NULL;
    char words[sizeof closer.text + 80];
    struct text reason = text_over(words, sizeof words);
    text_add(&reason, "%s%s", closer.text[0] ? ": " : "", closer.text);
    text_add(&reason, "%s%s", !wrapping ? "" : reason.len ? "; " : ": ", wrapping ? wrapping : "");
    if (setting->secret) {
        return why_set(why, err, "%s is wrong (its %zu characters are not shown)%s; it takes %s",
                       setting->name, strlen(text), words, setting->takes);
    }
    return why_set(why, err, "%s is \"%.100s\"%s; it takes %s", setting->name, text, words,
                   setting->takes);
}

/* It has no value from anywhere; somebody may have meant that. */
static int check_blank(const struct settings_source *source, const struct setting *setting,
                       struct why *why)
{
    const struct entry *entry = setting->no_blank ? find_entry(source, setting->name) : NULL;
    return entry ? why_set(why, -EINVAL,
                           "%s, line %u: %s is empty: give it a value, or take the line out for "
                           "the default; it takes %s",
                           source->path, entry->line, setting->name, setting->takes)
                 : 0;
}

static int load_one(const struct settings_source *source, const struct setting *setting, void *into,
                    char value[VALUE_MAX], struct why *why)
{
    int err = settings_find(source, setting->name, value, why);
    if (err == 0 && !value[0]) {
        err = check_blank(source, setting, why);
    }
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
        char words[400];
        struct text text = text_over(words, sizeof words);
        text_add(&text, "%s", s->takes);
        if (s->default_value && s->default_value[0]) {
            text_add(&text, " (default: %s)", s->default_value);
        } else if (!s->default_value && !s->optional) {
            text_add(&text, " (required)");
        }
        help_row(HELP_COLUMN, s->name, words);
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

int setting_host(const struct setting *s, const char *text, void *field, struct why *why)
{
    (void)s;
    if (host_kind(text) == HOST_INVALID) {
        return explain_host(text, why);
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
