#include "base/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What there is no memory or no room for is left out. */
static void add(struct sources *sources, const char *path)
{
    if (path && sources->count < SOURCES_MAX) {
        sources->paths[sources->count] = strdup(path);
        sources->count += sources->paths[sources->count] != NULL;
    }
}

static void add_secret_files(struct sources *sources, const struct settings_source *source,
                             const struct vocabulary *vocabulary)
{
    const struct setting *row;
    for (size_t i = 0; (row = settings_row(vocabulary->tables, i, NULL)); i++) {
        add(sources, settings_file_of(source, row->name));
    }
}

/* A pipe or a terminal waits for input, perhaps for ever. */
static int check_plain(const struct sources *sources, struct why *why)
{
    struct stat file;
    for (unsigned i = 0; i < sources->count; i++) {
        /* One that is missing is settings_open()'s to report, with a better sentence. */
        if (stat(sources->paths[i], &file) == 0 && !S_ISREG(file.st_mode)) {
            return why_set(why, -ESPIPE,
                           "%.200s cannot be read a second time: it is not a regular file",
                           sources->paths[i]);
        }
    }
    return 0;
}

int sources_find(struct sources *sources, const char *env_file, const struct vocabulary *vocabulary,
                 struct why *why)
{
    struct settings_source *source;
    add(sources, env_file);
    int err = check_plain(sources, why); /* before it is opened: that may wait */
    err = err < 0 ? err : settings_open(env_file, &source, why);
    if (err < 0) {
        return err;
    }
    add_secret_files(sources, source, vocabulary);
    settings_close(source);
    return check_plain(sources, why);
}

int sources_check(const char *env_file, const struct vocabulary *vocabulary, struct why *why)
{
    struct sources sources = {0};
    int err = sources_find(&sources, env_file, vocabulary, why);
    sources_done(&sources);
    return err;
}

void sources_explain(int err, bool sandboxed, struct why *why)
{
    if (err == -EACCES && sandboxed) {
        struct why closer = *why;
        why_set(
            why, err,
            "%.220s (a file in a folder that the settings did not use at startup needs a restart)",
            closer.text);
    }
}

void sources_done(struct sources *sources)
{
    while (sources->count > 0) {
        free(sources->paths[--sources->count]);
        sources->paths[sources->count] = NULL;
    }
}
