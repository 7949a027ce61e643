/*
 * What a name in a file may be: a setting of this agent (or NAME_FILE of one), or something
 * else, and then what the person most likely meant: a setting of the other agent, one that is
 * only read from the environment, one that is spelt nearly like this.
 *
 * In the environment a near miss is only a warning. It has to be very near (two mistakes, six
 * letters), since other programs' names are there as well.
 *
 * Names are shown only if they look like names: a pasted key in front of a "=" must not
 * end up in a log.
 */
#include "base/vocabulary.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/nearest.h"

static const char FILE_SUFFIX[] = "_FILE";

enum {
    SUFFIX_LEN = sizeof FILE_SUFFIX - 1,
    NAME_MAX_SHOWN = 32, /* longer than any of ours, shorter than a key */
    NAME_SIZE = 80,
    NEAR_ENOUGH = 2, /* mistakes, of a name that may be another program's */
    SHORT = 6,       /* names below it are near to too much: ADMIN */
};

/* ---- one name ------------------------------------------------------------- */

static bool is_in(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

static bool is_setting(const struct vocabulary *vocabulary, const char *name)
{
    const struct setting *row;
    size_t i = 0;
    while ((row = settings_row(vocabulary->tables, i, NULL)) && strcmp(row->name, name) != 0) {
        i++;
    }
    return row != NULL;
}

/* NAME_FILE without _FILE. False if it does not end so. */
static bool take_suffix_off(const char *name, char dst[NAME_SIZE])
{
    size_t len = strlen(name);
    if (len <= SUFFIX_LEN || len >= NAME_SIZE ||
        strcmp(name + len - SUFFIX_LEN, FILE_SUFFIX) != 0) {
        return false;
    }
    memcpy(dst, name, len - SUFFIX_LEN);
    dst[len - SUFFIX_LEN] = '\0';
    return true;
}

/* What is in the environment as well came from this file: systemd's EnvironmentFile, a shell. */
static bool is_in_force(const struct settings_line *line)
{
    const char *value = getenv(line->name);
    return value && strcmp(value, line->value) == 0;
}

static bool is_known(const struct vocabulary *vocabulary, const struct settings_line *line)
{
    char base[NAME_SIZE];
    return is_setting(vocabulary, line->name) ||
           (take_suffix_off(line->name, base) && is_setting(vocabulary, base)) ||
           (is_in(vocabulary->environments, line->name) && is_in_force(line));
}

/* ---- what is said of one that is not known -------------------------------- */

static struct nearest nearest_setting(const struct vocabulary *vocabulary, const char *name)
{
    struct nearest nearest = nearest_to(name);
    const struct setting *row;
    for (size_t i = 0; (row = settings_row(vocabulary->tables, i, NULL)); i++) {
        nearest_try(&nearest, row->name);
    }
    return nearest;
}

/* Somebody may have put a secret there. */
static bool may_be_shown(const char *name)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t len = strlen(name), digits = 0;
    for (const char *at = name; *at; at++) {
        digits += *at >= '0' && *at <= '9';
    }
    return len <= NAME_MAX_SHOWN && strspn(name, LETTERS) > 0 && digits <= 3 &&
           strspn(name, LETTERS) + digits >= len;
}

static int refuse(const struct vocabulary *vocabulary, const struct settings_line *line,
                  struct why *why)
{
    char base[NAME_SIZE];
    bool is_file = take_suffix_off(line->name, base);
    const char *whole = nearest_setting(vocabulary, line->name).word;
    is_file = is_file && !whole; /* there are settings whose name ends so */
    const char *name = is_file ? base : line->name;
    const char *near = whole ? whole : nearest_setting(vocabulary, name).word;
    if (is_in(vocabulary->others, name) || is_in(vocabulary->others, line->name)) {
        return why_set(why, -EINVAL,
                       "%s, line %u: %s is a setting of %s: it belongs in the file of that one",
                       line->path, line->number, line->name, vocabulary->other_agent);
    }
    if (is_in(vocabulary->environments, line->name)) {
        return why_set(
            why, -EINVAL,
            "%s, line %u: %s is only read from the environment: in this file it does nothing",
            line->path, line->number, line->name);
    }
    /* From here on the name itself is in the message. */
    if (!may_be_shown(line->name)) {
        return why_set(why, -EINVAL, "%s, line %u: there is no such setting; --help lists them",
                       line->path, line->number);
    }
    return why_set(why, -EINVAL, "%s, line %u: there is no setting %s%s%s%s; --help lists them",
                   line->path, line->number, line->name, near ? " (did you mean " : "",
                   near ? near : "", near ? is_file ? "_FILE?)" : "?)" : "");
}

/* ---- all of them ---------------------------------------------------------- */

struct search {
    const struct vocabulary *vocabulary;
    struct settings_line found; /* the first of the file that is wrong; without a name: none */
};

static void look(void *arg, const struct settings_line *line)
{
    struct search *search = arg;
    if (!is_known(search->vocabulary, line)) {
        search->found = *line;
    }
}

int vocabulary_check(const struct vocabulary *vocabulary, const struct settings_source *source,
                     struct why *why)
{
    struct search search = {.vocabulary = vocabulary};
    settings_each_line(source, look, &search);
    return search.found.name ? refuse(vocabulary, &search.found, why) : 0;
}

int vocabulary_check_file(const struct vocabulary *vocabulary, const char *env_file,
                          struct why *why)
{
    struct settings_source *source;
    if (access(env_file, F_OK) < 0 && errno == ENOENT) {
        return 0;
    }
    int err = settings_open(env_file, &source, why);
    if (err == 0) {
        err = vocabulary_check(vocabulary, source, why);
        settings_close(source);
    }
    return err;
}

int vocabulary_load(const struct vocabulary *vocabulary, const struct settings_table *tables,
                    const char *env_file, void *into, struct why *why)
{
    struct settings_source *source;
    int err = settings_open(env_file, &source, why);
    if (err == 0) {
        /* Names before values: a misspelt one explains a missing one. */
        err = vocabulary_check(vocabulary, source, why);
        err = err < 0 ? err : settings_load(source, tables, into, why);
        settings_close(source);
    }
    return err;
}

/* ---- what is said twice ---------------------------------------------------- */

enum { SEEN_MAX = 64 };

struct repeats {
    struct settings_line seen[SEEN_MAX]; /* the one that counts of each */
    unsigned count;
    struct settings_line first, last; /* of a repeat */
};

static void compare(void *arg, const struct settings_line *line)
{
    struct repeats *repeats = arg;
    unsigned i = 0;
    while (i < repeats->count && strcmp(repeats->seen[i].name, line->name) != 0) {
        i++;
    }
    /* Lines come last first, so the one that counts is seen first. */
    if (i == repeats->count && i < SEEN_MAX) {
        repeats->seen[repeats->count++] = *line;
    } else if (i < repeats->count && strcmp(repeats->seen[i].value, line->value) != 0) {
        repeats->first = *line;
        repeats->last = repeats->seen[i];
    }
}

static bool has_repeats(const char *env_file, struct why *remark)
{
    struct settings_source *source;
    struct repeats repeats = {0};
    if (!env_file || settings_open(env_file, &source, NULL) < 0) {
        return false;
    }
    settings_each_line(source, compare, &repeats);
    if (repeats.first.name) {
        why_set(remark, 0,
                "%s sets %s in line %u and, to something else, in line %u: the last one "
                "counts",
                env_file, repeats.first.name, repeats.first.number, repeats.last.number);
    }
    settings_close(source);
    return repeats.first.name != NULL;
}

/* ---- what the environment nearly says ---------------------------------------- */

/* Of us, and not spelt right: such names are of many programs, so that it has to be very near. */
static const char *misspelt(const struct vocabulary *vocabulary, const char *name)
{
    char base[NAME_SIZE];
    const char *bare = take_suffix_off(name, base) ? base : name;
    if (is_setting(vocabulary, bare) || is_in(vocabulary->others, bare) || strlen(bare) < SHORT) {
        return NULL;
    }
    struct nearest nearest = nearest_setting(vocabulary, bare);
    return nearest.distance <= NEAR_ENOUGH ? nearest.word : NULL;
}

static bool environment_misspells(const struct vocabulary *vocabulary, struct why *remark)
{
    char name[NAME_SIZE];
    for (char **entry = environ; *entry; entry++) {
        size_t len = strcspn(*entry, "=");
        if (len == 0 || len >= sizeof name) {
            continue;
        }
        memcpy(name, *entry, len);
        name[len] = '\0';
        const char *meant = misspelt(vocabulary, name);
        if (meant && may_be_shown(name)) {
            why_set(remark, 0, "the environment has %s, which is no setting: did you mean %s?",
                    name, meant);
            return true;
        }
    }
    return false;
}

/* ---- files of values --------------------------------------------------------- */

/* There is something behind its first line. A pipe is not read: it holds a value but once. */
static bool goes_on(const char *path)
{
    char buffer[BUFSIZ]; /* stdio's own would not be wiped */
    struct stat info;
    bool first = true, more = false;
    /* Reading a pipe would take the secret away from whoever reads it afterwards. */
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "re") : NULL;
    if (!file) {
        return false;
    }
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    for (int c; !more && (c = fgetc(file)) != EOF;) {
        more = !first && !isspace(c);
        first = first && c != '\n';
    }
    fclose(file);
    crypto_wipe(buffer, sizeof buffer);
    return more;
}

static bool find_long(const struct vocabulary *vocabulary, const struct settings_source *source,
                      struct why *remark)
{
    const struct setting *row;
    for (size_t i = 0; (row = settings_row(vocabulary->tables, i, NULL)); i++) {
        const char *path = settings_file_of(source, row->name);
        if (path && goes_on(path)) {
            why_set(remark, 0,
                    "%s_FILE is %s, of which only the first line counts: the rest is ignored",
                    row->name, path);
            return true;
        }
    }
    return false;
}

static bool has_long_files(const struct vocabulary *vocabulary, const char *env_file,
                           struct why *remark)
{
    struct settings_source *source;
    if (settings_open(env_file, &source, NULL) < 0) {
        return false;
    }
    bool found = find_long(vocabulary, source, remark);
    settings_close(source);
    return found;
}

bool vocabulary_doubts(const struct vocabulary *vocabulary, const char *env_file,
                       struct why *remark)
{
    return has_repeats(env_file, remark) || has_long_files(vocabulary, env_file, remark) ||
           environment_misspells(vocabulary, remark);
}
