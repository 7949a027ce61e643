/*
 * Settings are collected here, and written in one go when the last one is known. Each is written to
 * where it is kept already, its line in the env file or the file that NAME_FILE names there, so
 * that no secret ends up in a second place.
 */
#include "shared/draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/envfile.h"
#include "base/secret_file.h"

enum { FILES_MAX = 4 };

/* A value that is kept in a file of its own, and so mostly a secret. */
struct value_file {
    char path[ENVFILE_LINE_MAX];
    char line[SETTING_VALUE_MAX + 1];
};

struct draft {
    struct envfile *file;
    struct settings_source *source;
    struct value_file files[FILES_MAX]; /* to be written */
    unsigned count;
    bool changed; /* the env file itself */
};

int draft_open(const char *env_file, struct draft **ret_draft, struct why *why)
{
    struct draft *draft = calloc(1, sizeof *draft);
    if (!draft) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    /* The source would call a file that is not there an error; here it is an empty one. */
    bool is_new = access(env_file, F_OK) < 0 && errno == ENOENT;
    int err = settings_open(is_new ? NULL : env_file, &draft->source, why);
    err = err < 0 ? err : envfile_read(env_file, &draft->file, why);
    if (err < 0) {
        draft_free(draft);
        return err;
    }
    *ret_draft = draft;
    return 0;
}

void draft_free(struct draft *draft)
{
    if (draft) {
        settings_close(draft->source);
        envfile_free(draft->file);
        crypto_wipe(draft->files, sizeof draft->files);
        free(draft);
    }
}

bool draft_is_given(const char *name)
{
    return settings_is_given(name);
}

int draft_get(const struct draft *draft, const char *name, char ret_value[SETTING_VALUE_MAX],
              struct why *why)
{
    return settings_find(draft->source, name, ret_value, why);
}

/* What does not change is not written: the file keeps its time, and perhaps it is read-only. */
static bool holds(const char *path, const char *value)
{
    char line[SETTING_VALUE_MAX] = "";
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool same = fgets(line, sizeof line, file) && envfile_skip_mark(line, NULL) == 0;
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    same = same && strcmp(line, value) == 0;
    crypto_wipe(line, sizeof line);
    return same;
}

static int put_into_file(struct draft *draft, const char *path, const char *value)
{
    struct value_file *file = draft->files;
    while (file < draft->files + draft->count && strcmp(file->path, path) != 0) {
        file++;
    }
    if (file == draft->files + FILES_MAX) {
        return -ENOSPC;
    }
    if (file == draft->files + draft->count && holds(path, value)) {
        return 0;
    }
    draft->count += file == draft->files + draft->count;
    snprintf(file->path, sizeof file->path, "%s", path);
    snprintf(file->line, sizeof file->line, "%s\n", value);
    return 0;
}

int draft_put(struct draft *draft, const char *name, const char *value, struct why *why)
{
    char now[ENVFILE_LINE_MAX], file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    bool in_line = envfile_get(draft->file, name, now);
    bool same = in_line && strcmp(now, value) == 0;
    int err = 0;
    if (!in_line && envfile_get(draft->file, file_name, now)) {
        err = put_into_file(draft, now, value);
    } else if (!same) {
        err = envfile_set(draft->file, name, value);
        draft->changed = true;
    }
    crypto_wipe(now, sizeof now);
    return err < 0 ? why_set(why, err, "cannot save %s: %s", name, strerror(-err)) : 0;
}

int draft_put_back(struct draft *draft, const char *name, const char *value, struct why *why)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    /* The environment comes before the env file, so that a new line there would have no effect. */
    const char *given = getenv(name), *path = getenv(file_name);
    if (given && given[0]) {
        return why_set(why, -EPERM,
                       "%s is set in the environment, which cannot be changed from here", name);
    }
    if (path && path[0]) {
        int err = put_into_file(draft, path, value);
        return err < 0 ? why_set(why, err, "cannot save %s: %s", name, strerror(-err)) : 0;
    }
    return draft_put(draft, name, value, why);
}

bool draft_changes(const struct draft *draft)
{
    return draft->changed || draft->count > 0;
}

/* The env file last: what it says NAME_FILE of is there by then. */
int draft_save(const struct draft *draft, struct why *why)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < draft->count; i++) {
        err = secret_file_replace(draft->files[i].path, draft->files[i].line, why);
    }
    return err == 0 && draft->changed ? envfile_write(draft->file, why) : err;
}
