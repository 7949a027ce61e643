/*
 * The env file is read to its end at once when it is opened, and never again: whoever wants what it
 * says now opens another source. All of its lines are kept, with their numbers, so that messages
 * can name them. The environment, and files that NAME_FILE names, are read when a value is asked
 * for.
 *
 * The order for one name: NAME in the environment, NAME_FILE there, NAME in the file, NAME_FILE
 * there, the default. So a container's secret file can be overridden by hand, and a service's
 * file by either.
 *
 * Whatever has held a line is wiped, stdio's buffers too: it may have been a secret.
 */
#include "base/settings_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/envfile.h"
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

static struct settings_line line_of(const struct settings_source *source, const struct entry *entry)
{
    return (struct settings_line){source->path, entry->line, entry->name, entry->value};
}

void settings_each_line(const struct settings_source *source,
                        void (*fn)(void *arg, const struct settings_line *line), void *arg)
{
    for (const struct entry *entry = source->entries; entry; entry = entry->next) {
        struct settings_line line = line_of(source, entry);
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

bool settings_line_of(const struct settings_source *source, const char *name,
                      struct settings_line *ret_line)
{
    const struct entry *entry = find_entry(source, name);
    if (entry) {
        *ret_line = line_of(source, entry);
    }
    return entry != NULL;
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

/* Of its length, not of its content. */
static bool is_empty(FILE *file)
{
    struct stat stat;
    return fstat(fileno(file), &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size == 0;
}

/* The first line of the file that NAME_FILE names. -ENODATA if there is nothing in it at all. */
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
    bool empty = is_empty(file);
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
                    : why_set(why, empty ? -ENODATA : -EINVAL,
                              "%s_FILE is %s, whose first line is empty", name, path);
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

int settings_peek(const char *env_file, const char *name, char value[VALUE_MAX], struct why *why)
{
    struct settings_source *source = NULL;
    int err = settings_open(settings_is_given(name) ? NULL : env_file, &source, why);
    if (err == 0) {
        err = settings_find(source, name, value, why);
        settings_close(source);
    }
    return err;
}
