/* sources: the files that settings come from, for a sandbox that lets them be read anew. */
#ifndef PAMTUNNEL_BASE_SOURCES_H
#define PAMTUNNEL_BASE_SOURCES_H

#include "base/vocabulary.h"

enum { SOURCES_MAX = 40 };

/* Zero-initialised is an empty one. */
struct sources {
    unsigned count;
    char *paths[SOURCES_MAX + 1]; /* ends with NULL */
};

/*
 * Adds the env file (may be NULL) and the files that NAME_FILEs name. Each can be read a
 * second time: -ESPIPE with why if one is no plain file, but a pipe or a terminal, where
 * somebody who waits for input would wait for ever; or as settings_open().
 */
int sources_find(struct sources *sources, const char *env_file, const struct vocabulary *vocabulary,
                 struct why *why);
/* Finds them for nothing but these errors. */
int sources_check(const char *env_file, const struct vocabulary *vocabulary, struct why *why);
/* After -EACCES within a sandbox: adds to why what a new place of a file takes. */
void sources_explain(int err, bool sandboxed, struct why *why);
void sources_done(struct sources *sources);

#endif
