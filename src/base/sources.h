/* sources: the files that settings come from, so that a sandbox can let them be read again. */
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
 * second time: -ESPIPE with why if one is not a regular file but a pipe or a terminal, where a
 * reload would wait for input, perhaps forever; or as settings_open().
 */
int sources_find(struct sources *sources, const char *env_file, const struct vocabulary *vocabulary,
                 struct why *why);
/* Finds them for nothing but these errors. */
int sources_check(const char *env_file, const struct vocabulary *vocabulary, struct why *why);
/* After -EACCES within a sandbox: adds to why what a new place of a file takes. */
void sources_explain(int err, bool sandboxed, struct why *why);
/* Frees the paths; it is empty again then. */
void sources_done(struct sources *sources);

#endif
