/*
 * sheet: the settings while they are being set up: what the environment and the env file
 * say now, and the env file that is to be written.
 */
#ifndef PAMTUNNEL_VPS_SETUP_SHEET_H
#define PAMTUNNEL_VPS_SETUP_SHEET_H

#include <stdbool.h>

#include "base/settings.h"
#include "base/why.h"

struct sheet;

/* The file need not exist. 0, or -errno with why. */
int sheet_open(const char *env_file, struct sheet **ret_sheet, struct why *why);
/* Accepts NULL. */
void sheet_free(struct sheet *sheet);

/* NAME or NAME_FILE is in the environment: nobody has to be asked. */
bool sheet_is_given(const char *name);
/* The value from wherever it is set; empty if nowhere. */
int sheet_get(const struct sheet *sheet, const char *name, char ret_value[SETTING_VALUE_MAX],
              struct why *why);
/*
 * Puts a value down, for sheet_save(). One that the env file keeps in a file of its own
 * (NAME_FILE) stays there; what does not change is not touched.
 */
int sheet_put(struct sheet *sheet, const char *name, const char *value, struct why *why);
/*
 * The same for a value that has to reach who reads it today: into the file that NAME_FILE
 * in the environment names; -EPERM with why if NAME itself is there.
 */
int sheet_put_back(struct sheet *sheet, const char *name, const char *value, struct why *why);
/* What was put down differs from what is there. */
bool sheet_changes(const struct sheet *sheet);
/* Writes the files that change. */
int sheet_save(const struct sheet *sheet, struct why *why);

#endif
