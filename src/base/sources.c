#include "base/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void sources_add(struct sources *sources, const char *path)
{
    if (path && sources->count < SOURCES_MAX) {
        sources->paths[sources->count] = strdup(path);
        sources->count += sources->paths[sources->count] != NULL;
    }
}

void sources_add_table(struct sources *sources, const struct settings_source *source,
                       const struct setting *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sources_add(sources, settings_file_of(source, table[i].name));
    }
}

int sources_check(const struct sources *sources, struct why *why)
{
    struct stat file;
    for (unsigned i = 0; i < sources->count; i++) {
        if (stat(sources->paths[i], &file) == 0 && !S_ISREG(file.st_mode)) {
            return why_set(why, -ESPIPE, "%.200s cannot be read a second time: it is no plain file",
                           sources->paths[i]);
        }
    }
    return 0;
}

void sources_explain(int err, bool sandboxed, struct why *why)
{
    if (err == -EACCES && sandboxed) {
        struct why closer = *why;
        why_set(why, err,
                "%.220s (a file in a folder that was none of its own at the start takes "
                "a restart)",
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
