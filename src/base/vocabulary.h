/*
 * vocabulary: the names that may stand in an agent's env file. The environment holds the
 * names of many programs; the file is ours alone, so a name that is not known there is a
 * mistake: whoever misspells ALLOWED_TARGETS meant to restrict something.
 */
#ifndef PAMTUNNEL_BASE_VOCABULARY_H
#define PAMTUNNEL_BASE_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"
#include "base/why.h"

struct vocabulary {
    const struct settings_table *tables;
    const char *other_agent;         /* the program whose settings are often mixed up with ours */
    const char *const *others;       /* the names that it alone has; the last is NULL */
    const char *const *environments; /* what is only read from the environment; likewise */
};

/*
 * Every line of the env file sets something that is known. -EINVAL if not: why names the
 * file, the line and what is to be there, for the first one that is wrong.
 */
int vocabulary_check(const struct vocabulary *vocabulary, const struct settings_source *source,
                     struct why *why);
/* The same for a file that may not be there. */
int vocabulary_check_file(const struct vocabulary *vocabulary, const char *env_file,
                          struct why *why);

/*
 * Opens the env file (may be NULL), checks its names, and loads `tables` into the agent's struct:
 * all of the vocabulary's, or those from one of them on. 0, or -errno with why.
 */
int vocabulary_load(const struct vocabulary *vocabulary, const struct settings_table *tables,
                    const char *env_file, void *into, struct why *why);

/*
 * What is no error, but hardly meant: something is set twice in the file, to different values
 * (the last one counts, as in a shell), a NAME_FILE has more than the one line that counts, or
 * the environment has a name that is nearly one of ours. True if so; remark is then a clause
 * about it. env_file may be NULL.
 */
bool vocabulary_doubts(const struct vocabulary *vocabulary, const char *env_file,
                       struct why *ret_remark);

#endif
