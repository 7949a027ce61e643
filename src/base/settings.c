/*
 * A source is the environment and, if one was named, an env file, read to its end at once: all
 * lines are kept, with their numbers, so that messages can name them. Values are looked up when
 * the table is loaded, and parsed straight into the caller's struct by offset.
 *
 * The order for one name: NAME in the environment, NAME_FILE there, NAME in the file, NAME_FILE
 * there, the default. So a container's secret file can be overridden by hand, and a service's
 * file by either.
 *
 * Values may be secrets: entries are wiped when the source is closed, and messages of a secret
 * row give its length instead.
 */
#include "base/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/envfile.h"
#include "base/help.h"
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
        /* fgets() does not say how much it read, and a line may hold NULs. */
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
    /* Half a key is refused rather than tried: it would look like a wrong one. */
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

/* What surrounds a value and does not belong to it, in words; or NULL. */
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
    /* The parser's reason, then what surrounds the value: often that is the cause of it. */
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
    /* ALLOWED_TARGETS= looks like "nothing", and its default is all private networks. */
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
