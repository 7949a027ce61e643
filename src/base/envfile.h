/*
 * envfile: a file of lines NAME=value, read, changed and written back as a whole.
 * Lines that are not changed stay as they are, comments and unknown names among them.
 */
#ifndef PAMTUNNEL_BASE_ENVFILE_H
#define PAMTUNNEL_BASE_ENVFILE_H

#include <stdbool.h>

#include "base/why.h"

enum { ENVFILE_LINE_MAX = 8192 };

/* The path if there is such a file, readable or not; else NULL. */
const char *envfile_installed(const char *path);

/*
 * Cuts one line, in place, into name and value; quotes around the value are taken off.
 * -ENODATA for an empty line or a comment, -EINVAL if it is of no such form: why then says
 * what is wrong with it, and repeats nothing of it.
 */
int envfile_split(char *line, char **ret_name, char **ret_value, struct why *why);

/*
 * What editors of Windows put in front of the first line of a file: takes a UTF-8 byte order
 * mark off, in place. -EILSEQ if the file is UTF-16; why then says what to do about it.
 */
int envfile_skip_mark(char *first_line, struct why *why);

struct envfile;

/* A file that does not exist is an empty one. */
int envfile_read(const char *path, struct envfile **ret_file, struct why *why);
/* Copies the value. False if there is none or an empty one. */
bool envfile_get(const struct envfile *file, const char *name, char ret_value[ENVFILE_LINE_MAX]);
/* Changes the line of that name that counts, or adds one. The value is one line without quotes. */
int envfile_set(struct envfile *file, const char *name, const char *value);
/* Writes all of it, as secret_file_replace() does. 0 or -errno with why. */
int envfile_write(const struct envfile *file, struct why *why);
/* Accepts NULL; wipes what it held. */
void envfile_free(struct envfile *file);

#endif
