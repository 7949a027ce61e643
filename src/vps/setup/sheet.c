#include "vps/setup/sheet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/envfile.h"

enum { FILES_MAX = 4 };

/* A secret that is kept in a file of its own. */
struct secret_file {
    char path[ENVFILE_LINE_MAX];
    char line[SETTING_VALUE_MAX + 1];
};

struct sheet {
    struct envfile *file;
    struct settings_source *source;
    struct secret_file files[FILES_MAX]; /* to be written */
    unsigned count;
    bool changed; /* the env file itself */
};

int sheet_open(const char *env_file, struct sheet **ret_sheet, struct why *why)
{
    struct sheet *sheet = calloc(1, sizeof *sheet);
    if (!sheet) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    bool is_new = access(env_file, F_OK) < 0 && errno == ENOENT;
    int err = settings_open(is_new ? NULL : env_file, &sheet->source, why);
    err = err < 0 ? err : envfile_read(env_file, &sheet->file, why);
    if (err < 0) {
        sheet_free(sheet);
        return err;
    }
    *ret_sheet = sheet;
    return 0;
}

void sheet_free(struct sheet *sheet)
{
    if (sheet) {
        settings_close(sheet->source);
        envfile_free(sheet->file);
        crypto_wipe(sheet->files, sizeof sheet->files);
        free(sheet);
    }
}

bool sheet_is_given(const char *name)
{
    return settings_is_given(name);
}

int sheet_get(const struct sheet *sheet, const char *name, char ret_value[SETTING_VALUE_MAX],
              struct why *why)
{
    return settings_find(sheet->source, name, ret_value, why);
}

/* What the first line of a file is already. */
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

static int put_into_file(struct sheet *sheet, const char *path, const char *value)
{
    struct secret_file *file = sheet->files;
    while (file < sheet->files + sheet->count && strcmp(file->path, path) != 0) {
        file++;
    }
    if (file == sheet->files + FILES_MAX) {
        return -ENOSPC;
    }
    if (file == sheet->files + sheet->count && holds(path, value)) {
        return 0;
    }
    sheet->count += file == sheet->files + sheet->count;
    snprintf(file->path, sizeof file->path, "%s", path);
    snprintf(file->line, sizeof file->line, "%s\n", value);
    return 0;
}

int sheet_put(struct sheet *sheet, const char *name, const char *value, struct why *why)
{
    char now[ENVFILE_LINE_MAX], file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    bool in_line = envfile_get(sheet->file, name, now);
    bool same = in_line && strcmp(now, value) == 0;
    int err = 0;
    if (!in_line && envfile_get(sheet->file, file_name, now)) {
        err = put_into_file(sheet, now, value);
    } else if (!same) {
        err = envfile_set(sheet->file, name, value);
        sheet->changed = true;
    }
    crypto_wipe(now, sizeof now);
    return err < 0 ? why_set(why, err, "cannot save %s: %s", name, strerror(-err)) : 0;
}

int sheet_put_back(struct sheet *sheet, const char *name, const char *value, struct why *why)
{
    char file_name[80];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    const char *given = getenv(name), *path = getenv(file_name);
    if (given && given[0]) {
        return why_set(why, -EPERM,
                       "%s is set in the environment, which cannot be changed from here", name);
    }
    if (path && path[0]) {
        int err = put_into_file(sheet, path, value);
        return err < 0 ? why_set(why, err, "cannot save %s: %s", name, strerror(-err)) : 0;
    }
    return sheet_put(sheet, name, value, why);
}

bool sheet_changes(const struct sheet *sheet)
{
    return sheet->changed || sheet->count > 0;
}

int sheet_save(const struct sheet *sheet, struct why *why)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < sheet->count; i++) {
        err = envfile_replace(sheet->files[i].path, sheet->files[i].line, why);
    }
    return err == 0 && sheet->changed ? envfile_write(sheet->file, why) : err;
}
