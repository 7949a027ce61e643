/* sources: the files that settings come from, for a sandbox that lets them be read anew. */
#ifndef PAMTUNNEL_BASE_SOURCES_H
#define PAMTUNNEL_BASE_SOURCES_H

#include "base/settings.h"

enum { SOURCES_MAX = 40 };

/* Zero-initialised is an empty one. */
struct sources {
    unsigned count;
    char *paths[SOURCES_MAX + 1]; /* ends with NULL */
};

/* path may be NULL. What there is no memory or no room for is left out. */
void sources_add(struct sources *sources, const char *path);
/* The files that NAME_FILEs name. */
void sources_add_table(struct sources *sources, const struct settings_source *source,
                       const struct setting *table, size_t count);
/*
 * Each can be read a second time: -ESPIPE with why if one is no plain file, but a pipe or a
 * terminal, where somebody who waits for input would wait for ever.
 */
int sources_check(const struct sources *sources, struct why *why);
/* After -EACCES within a sandbox: adds to why what a new place of a file takes. */
void sources_explain(int err, bool sandboxed, struct why *why);
void sources_done(struct sources *sources);

#endif
