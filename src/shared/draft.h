/*
 * draft: the settings while they are being set up: what the environment and the env file
 * say now, and the env file that is to be written.
 */
#ifndef PAMTUNNEL_SHARED_DRAFT_H
#define PAMTUNNEL_SHARED_DRAFT_H

#include <stdbool.h>

#include "base/settings.h"
#include "base/why.h"

struct draft;

/* The file need not exist. 0, or -errno with why. */
int draft_open(const char *env_file, struct draft **ret_draft, struct why *why);
/* Accepts NULL. */
void draft_free(struct draft *draft);

/* NAME or NAME_FILE is in the environment: nobody has to be asked. */
bool draft_is_given(const char *name);
/* The value from wherever it is set; empty if nowhere. */
int draft_get(const struct draft *draft, const char *name, char ret_value[SETTING_VALUE_MAX],
              struct why *why);
/*
 * Puts a value down, for draft_save(). One that the env file keeps in a file of its own
 * (NAME_FILE) stays there; what does not change is not touched.
 */
int draft_put(struct draft *draft, const char *name, const char *value, struct why *why);
/*
 * The same for a value that has to reach who reads it today: into the file that NAME_FILE
 * in the environment names; -EPERM with why if NAME itself is there.
 */
int draft_put_back(struct draft *draft, const char *name, const char *value, struct why *why);
/* What was put down differs from what is there. */
bool draft_changes(const struct draft *draft);
/* Writes the files that change. */
int draft_save(const struct draft *draft, struct why *why);

#endif
