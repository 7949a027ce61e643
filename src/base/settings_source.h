/*
 * settings_source: where the values of settings come from: the environment, and an env file if one
 * was named. NAME comes before NAME_FILE, a file whose first line is the value, and the
 * environment with both before the env file; an empty value counts as not set.
 */
#ifndef PAMTUNNEL_BASE_SETTINGS_SOURCE_H
#define PAMTUNNEL_BASE_SETTINGS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"

struct settings_source;

/*
 * env_file may be NULL. Lines NAME=value, NAME="value" or NAME='value'; # comments on lines of
 * their own; "export " allowed. Which names may stand there is vocabulary.h's. 0, or -errno with
 * why: it cannot be read (-ENOENT …), or a line of it is broken (-EINVAL, -EILSEQ).
 */
int settings_open(const char *env_file, struct settings_source **ret_source, struct why *why);
/* Accepts NULL; wipes what it held. */
void settings_close(struct settings_source *source);

/*
 * The text of one setting wherever it is set; empty if nowhere. -errno if its NAME_FILE
 * cannot be read; -ENODATA if that is an empty file.
 */
enum { SETTING_VALUE_MAX = 8192 };
int settings_find(const struct settings_source *source, const char *name,
                  char ret_value[SETTING_VALUE_MAX], struct why *why);
/* The file that NAME_FILE names, if the value comes from there; else NULL. */
const char *settings_file_of(const struct settings_source *source, const char *name);

/* A line of the env file that sets something. */
struct settings_line {
    const char *path;
    unsigned number; /* the first line of the file is 1 */
    const char *name;
    const char *value;
};
/* Calls fn with each line, the last one first. */
void settings_each_line(const struct settings_source *source,
                        void (*fn)(void *arg, const struct settings_line *line), void *arg);
/* The line that counts of those that set this name itself, perhaps to nothing. False: none does. */
bool settings_line_of(const struct settings_source *source, const char *name,
                      struct settings_line *ret_line);

/* NAME or NAME_FILE is in the environment. */
bool settings_is_given(const char *name);
/*
 * One setting, from the environment or else the env file, for a program that reads no other:
 * settings_peek(envfile_installed(PATH), "STATE_DIR", value, &why). Empty if it is
 * nowhere. -errno with why if the file cannot be read; env_file may be NULL.
 */
int settings_peek(const char *env_file, const char *name, char ret_value[SETTING_VALUE_MAX],
                  struct why *why);

#endif
