/*
 * settings: configuration from environment variables, an env file, or a file
 * per secret, read by a table. The environment comes first, then NAME_FILE,
 * then the env file; an empty value counts as not set.
 *
 * Each agent has one table; a row names the variable, how its text is parsed
 * into a field of the agent's settings struct, its default, and what it takes,
 * in words. The same table checks, loads and documents (--help).
 */
#ifndef PAMTUNNEL_BASE_SETTINGS_H
#define PAMTUNNEL_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"

struct setting {
    const char *name;
    const char *default_value; /* NULL: required, unless `optional` */
    const char *takes;         /* "a port, 1 to 65535" */
    /* Parses text into field. 0 or -EINVAL; it may put a closer reason into why. */
    int (*parse)(const struct setting *setting, const char *text, void *field, struct why *why);
    size_t offset; /* of the field in the settings struct */
    long min, max; /* for numbers */
    bool secret;   /* its value never appears in a message */
    bool optional; /* not set: the field stays as it is */
    bool at_start; /* read at the start only: another value takes a restart */
    bool no_blank; /* NAME= in an env file is refused: the default opens more than nothing */
};

/* Where values come from: the environment, and an env file if one was named. */
struct settings_source;

/*
 * env_file may be NULL. Lines NAME=value, NAME="value" or NAME='value'; # comments on lines of
 * their own; "export " allowed. Which names may stand there is vocabulary.h's.
 */
int settings_open(const char *env_file, struct settings_source **ret_source, struct why *why);
/*
 * Fills `into` from the table. On failure (-EINVAL, -ENOENT …) why is the one
 * line that names the variable, what it held and what it takes.
 */
int settings_load(const struct settings_source *source, const struct setting *table, size_t count,
                  void *into, struct why *why);
/* Takes one value for the row of that name, as settings_load() would. -ENOENT: no such row. */
int settings_take(const struct setting *table, size_t count, const char *name, const char *text,
                  void *into, struct why *why);
/*
 * The text of one setting wherever it is set; empty if nowhere. -errno if its NAME_FILE
 * cannot be read.
 */
enum { SETTING_VALUE_MAX = 8192 };
int settings_find(const struct settings_source *source, const char *name,
                  char ret_value[SETTING_VALUE_MAX], struct why *why);
/* The file that NAME_FILE names, if the value comes from there; else NULL. */
const char *settings_file_of(const struct settings_source *source, const char *name);
/* Accepts NULL; wipes what it held. */
void settings_close(struct settings_source *source);

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

/* NAME or NAME_FILE is in the environment. */
bool settings_is_given(const char *name);
/* Every setting of the table that has to be set is in the environment: no file is needed. */
bool settings_are_given(const struct setting *table, size_t count);
/*
 * One setting, from the environment or else the env file, for a program that reads no other:
 * settings_peek(envfile_installed(PATH), "STATE_DIR", value, &why). Empty if it is
 * nowhere. -errno with why if the file cannot be read; env_file may be NULL.
 */
int settings_peek(const char *env_file, const char *name, char ret_value[SETTING_VALUE_MAX],
                  struct why *why);

/* Parsers for the tables. Fields are of the type after the dash. */
int setting_number(const struct setting *s, const char *text, void *field,
                   struct why *why); /* long */
int setting_port(const struct setting *s, const char *text, void *field,
                 struct why *why); /* uint16_t */
int setting_text(const struct setting *s, const char *text, void *field,
                 struct why *why); /* char[max + 1] */
int setting_host(const struct setting *s, const char *text, void *field,
                 struct why *why); /* char[HOST_MAX + 1] */
int setting_switch(const struct setting *s, const char *text, void *field,
                   struct why *why); /* bool: on or off */
int setting_log_level(const struct setting *s, const char *text, void *field,
                      struct why *why); /* enum log_level */

/*
 * RUST_LOG, the older name of LOG_LEVEL: a row of its own, optional, in front of
 * LOG_LEVEL's. Takes the level out of forms like "info" and "warn,net=debug";
 * other programs read this variable too, so what is not understood is ignored.
 */
int setting_rust_log(const struct setting *s, const char *text, void *field,
                     struct why *why); /* enum log_level */

/* Prints the table for --help, at most HELP_WIDTH (base/help.h) columns wide. */
void settings_describe(const struct setting *table, size_t count);

#endif
