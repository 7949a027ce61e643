/*
 * settings: an agent's configuration, by tables. A row names the variable, how its text is parsed
 * into a field of the agent's settings struct, its default, and what it takes, in words: setting.h.
 * The same tables check, load, compare (changes.h) and document (--help) the settings. Where
 * values come from is settings_source.h's.
 */
#ifndef PAMTUNNEL_BASE_SETTINGS_H
#define PAMTUNNEL_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/setting.h"
#include "base/settings_source.h"
#include "base/why.h"

/* Lists of tables end with one that has no rows. */
struct settings_table {
    const struct setting *rows;
    size_t count;
    size_t offset; /* in the agent's struct of settings, of the struct that these rows are of */
};

/*
 * Fills `into`, the agent's struct, from the tables. On failure (-EINVAL, -ENOENT …) why is the
 * one line that names the variable, what it held and what it takes.
 */
int settings_load(const struct settings_source *source, const struct settings_table *tables,
                  void *into, struct why *why);
/* Takes one value for the row of that name, as settings_load() would. -ENOENT: no such row. */
int settings_take(const struct settings_table *tables, const char *name, const char *text,
                  void *into, struct why *why);
/* Every setting of the tables that has to be set is in the environment: no file is needed. */
bool settings_are_given(const struct settings_table *tables);
/* Prints the tables for --help, at most HELP_WIDTH (base/help.h) columns wide. */
void settings_describe(const struct settings_table *tables);

/*
 * The row of this number, counted through all tables, and where its field is in the agent's struct
 * (ret_offset may be NULL). NULL: there are no more.
 */
const struct setting *settings_row(const struct settings_table *tables, size_t number,
                                   size_t *ret_offset);

#endif
