/*
 * A file of settings as lines: one value changes, and everything else stays as its owner wrote
 * it, comments and order included. It is replaced as a whole by rename(2), so a reader sees the
 * old file or the new one, and a full disk leaves the old one in place.
 *
 * Before a secret is written, every folder on the way is checked: whoever owns the file, can
 * write to its folder, or can move a folder above it away could read the secret or plant a file
 * there. Checking and writing are two steps, but the only people who could use the gap between
 * them are those whom the check refuses.
 *
 * Lines may hold secrets, so they are wiped when they go, and so is every buffer that they
 * passed through.
 */
#include "base/envfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/secret_file.h"
#include "base/text.h"

enum { LINES_MAX = 10000 };

struct envfile {
    char path[PATH_MAX];
    char *lines[LINES_MAX]; /* without the line feed */
    unsigned count;
};

/* ---- lines ---------------------------------------------------------------- */

const char *envfile_installed(const char *path)
{
    /* One that we may not look at is there: its reader has to say so, rather than ignore it. */
    return access(path, F_OK) == 0 || errno == EACCES ? path : NULL;
}

int envfile_skip_mark(char *line, struct why *why)
{
    static const char UTF8[] = "\xef\xbb\xbf";
    if (strncmp(line, "\xff\xfe", 2) == 0 || strncmp(line, "\xfe\xff", 2) == 0) {
        return why_set(why, -EILSEQ, "it is UTF-16 (\"Unicode\"): save it as UTF-8");
    }
    if (strncmp(line, UTF8, sizeof UTF8 - 1) == 0) {
        memmove(line, line + sizeof UTF8 - 1, strlen(line + sizeof UTF8 - 1) + 1);
    }
    return 0;
}

/* Shells end the value there, systemd and docker do not. */
static int refuse_comment(struct why *why)
{
    return why_set(
        why, -EINVAL,
        "a comment after a value: give it a line of its own (a value with # in it goes in quotes)");
}

static bool has_comment(const char *text)
{
    /* A # inside a word is a part of it: passwords have them. */
    const char *hash = strchr(text, '#');
    while (hash && (hash == text || (hash[-1] != ' ' && hash[-1] != '\t'))) {
        hash = strchr(hash + 1, '#');
    }
    return hash != NULL;
}

/* Takes one pair of quotes off. -EINVAL if one is left open. */
static int unquote(char **value, struct why *why)
{
    char quote = (*value)[0];
    size_t len = strlen(*value);
    if (quote != '"' && quote != '\'') {
        return has_comment(*value) ? refuse_comment(why) : 0;
    }
    if (len < 2 || (*value)[len - 1] != quote) {
        const char *end = strchr(*value + 1, quote);
        return end && has_comment(end) ? refuse_comment(why)
                                       : why_set(why, -EINVAL, "a quote that is not closed");
    }
    (*value)[len - 1] = '\0';
    (*value)++;
    return 0;
}

int envfile_split(char *line, char **ret_name, char **ret_value, struct why *why)
{
    static const char FORM[] = "not of the form NAME=value";
    char *name = text_trim(line);
    if (name[0] == '\0' || name[0] == '#') {
        return -ENODATA;
    }
    if (strncmp(name, "export ", 7) == 0) {
        name = text_trim(name + 7);
    }
    char *equals = strchr(name, '=');
    if (!equals) {
        return why_set(why, -EINVAL, FORM);
    }
    *equals = '\0';
    char *value = text_trim(equals + 1);
    name = text_trim(name);
    if (name[0] == '\0' || strcspn(name, " \t") != strlen(name)) {
        return why_set(why, -EINVAL, FORM);
    }
    int err = unquote(&value, why);
    if (err < 0) {
        return err;
    }
    *ret_name = name;
    *ret_value = value;
    return 0;
}

static void free_line(char *line)
{
    if (line) {
        crypto_wipe(line, strlen(line));
        free(line);
    }
}

/* Where the value of a name stands in a line, with its length; NULL if it is another line. */
static const char *value_in(const char *line, const char *name, size_t *ret_len)
{
    /* In a copy, since envfile_split() cuts; the offset is the same in the original. */
    char copy[ENVFILE_LINE_MAX], *its_name, *its_value;
    const char *found = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    if (envfile_split(copy, &its_name, &its_value, NULL) == 0 && strcmp(its_name, name) == 0) {
        found = line + (its_value - copy);
        *ret_len = strlen(its_value);
    }
    crypto_wipe(copy, sizeof copy);
    return found;
}

/* The last of several counts, as in a shell. -1: there is none. */
static int find(const struct envfile *file, const char *name)
{
    size_t len;
    for (int i = (int)file->count - 1; i >= 0; i--) {
        if (value_in(file->lines[i], name, &len)) {
            return i;
        }
    }
    return -1;
}

/* ---- reading -------------------------------------------------------------- */

static int add_line(struct envfile *file, const char *line)
{
    if (file->count == LINES_MAX) {
        return -EFBIG;
    }
    char *copy = strdup(line);
    if (!copy) {
        return -ENOMEM;
    }
    file->lines[file->count++] = copy;
    return 0;
}

static int take_line(struct envfile *file, char *line, bool is_last, struct why *why)
{
    struct why closer;
    int err = file->count == 0 ? envfile_skip_mark(line, &closer) : 0;
    if (err < 0) {
        return why_set(why, err, "cannot use %s: %s", file->path, closer.text);
    }
    size_t len = strcspn(line, "\n");
    if (!line[len] && !is_last) {
        return why_set(why, -EINVAL, "%s, line %u: too long", file->path, file->count + 1);
    }
    line[len] = '\0';
    return add_line(file, line);
}

static int read_lines(struct envfile *file, FILE *stream, struct why *why)
{
    char line[ENVFILE_LINE_MAX];
    int err = 0;
    while (err == 0 && fgets(line, sizeof line, stream)) {
        err = take_line(file, line, feof(stream), why);
    }
    if (err == 0 && ferror(stream)) {
        err = why_set(why, -EIO, "cannot read %s: is it a file?", file->path);
    }
    crypto_wipe(line, sizeof line);
    return err;
}

int envfile_read(const char *path, struct envfile **ret_file, struct why *why)
{
    struct envfile *file = calloc(1, sizeof *file);
    if (!file) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    if (!realpath(path, file->path)) { /* a link stays one */
        snprintf(file->path, sizeof file->path, "%s", path);
    }
    FILE *stream = fopen(file->path, "re");
    int err = stream ? 0 : -errno;
    if (stream) {
        char buffer[BUFSIZ]; /* stdio's own would not be wiped */
        setvbuf(stream, buffer, _IOFBF, sizeof buffer);
        err = read_lines(file, stream, why);
        fclose(stream);
        crypto_wipe(buffer, sizeof buffer);
    } else if (err == -ENOENT) {
        err = 0;
    } else {
        why_set(why, err, "cannot read %s: %s", path, strerror(-err));
    }
    if (err < 0) {
        envfile_free(file);
        return err;
    }
    *ret_file = file;
    return 0;
}

void envfile_free(struct envfile *file)
{
    for (unsigned i = 0; file && i < file->count; i++) {
        free_line(file->lines[i]);
    }
    free(file);
}

/* ---- values --------------------------------------------------------------- */

bool envfile_get(const struct envfile *file, const char *name, char ret_value[ENVFILE_LINE_MAX])
{
    int at = find(file, name);
    size_t len = 0;
    const char *value = at >= 0 ? value_in(file->lines[at], name, &len) : NULL;
    if (!value || len == 0) {
        return false;
    }
    memcpy(ret_value, value, len);
    ret_value[len] = '\0';
    return true;
}

int envfile_set(struct envfile *file, const char *name, const char *value)
{
    char *line;
    int at = find(file, name);
    if (asprintf(&line, "%s=%s", name, value) < 0) {
        return -ENOMEM;
    }
    /* A line feed in a value would be a second setting. */
    int err = strlen(line) + 1 < ENVFILE_LINE_MAX && !strchr(value, '\n') ? 0 : -EINVAL;
    if (err == 0 && at < 0) {
        err = add_line(file, line);
    } else if (err == 0) {
        free_line(file->lines[at]);
        file->lines[at] = line;
        return 0;
    }
    free_line(line);
    return err;
}

/* ---- writing -------------------------------------------------------------- */

int envfile_write(const struct envfile *file, struct why *why)
{
    size_t size = 1;
    for (unsigned i = 0; i < file->count; i++) {
        size += strlen(file->lines[i]) + 1;
    }
    char *content = malloc(size), *at = content;
    if (!content) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    *at = '\0';
    for (unsigned i = 0; i < file->count; i++) {
        at = stpcpy(stpcpy(at, file->lines[i]), "\n");
    }
    int err = secret_file_replace(file->path, content, why);
    crypto_wipe(content, size);
    free(content);
    return err;
}
