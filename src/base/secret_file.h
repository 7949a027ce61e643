/*
 * secret_file: a file with secrets that is replaced as a whole: an env file, or a key in a file of
 * its own. Nothing is written where others could read it, change it, or put another one there.
 */
#ifndef PAMTUNNEL_BASE_SECRET_FILE_H
#define PAMTUNNEL_BASE_SECRET_FILE_H

#include "base/why.h"

/*
 * Nobody but the caller and root owns the file or can put another one in its place: file and
 * folder are theirs, and others can neither write to the folder nor move it away. -EPERM with a
 * sentence in why; 0 even if there is no such file or folder yet. Everything that writes here
 * checks this first.
 */
int secret_file_is_safe(const char *path, struct why *why);
/* To be called before questions are asked: 0, or -errno with why if the file cannot be written. */
int secret_file_check(const char *path, struct why *why);
/*
 * Writes it beside and renames, so that the file is a whole one at every moment. An
 * existing file keeps its owner and mode, except that others lose their rights; a new one gets
 * 0640 and the group pamtunnel if root writes it, and 0600 otherwise. Creates the folder. 0, or
 * -errno with why.
 */
int secret_file_replace(const char *path, const char *content, struct why *why);

#endif
