/*
 * secret_file: a file with secrets that is replaced as a whole: an env file, or a key in a file of
 * its own. Nothing is written where others could read it, change it, or put another one there.
 */
#ifndef PAMTUNNEL_BASE_SECRET_FILE_H
#define PAMTUNNEL_BASE_SECRET_FILE_H

#include "base/why.h"

/*
 * Nobody but the caller and root has the file or can put another one in its place: it is
 * theirs, and so is its folder, which others may not write to, nor move away. -EPERM with
 * a sentence in why; 0 also if there is no such file or folder yet. What is written here
 * is checked for that.
 */
int secret_file_is_safe(const char *path, struct why *why);
/* Before anybody is asked anything: 0, or -errno with why if the file could not be written. */
int secret_file_check(const char *path, struct why *why);
/*
 * Writes it beside and renames, so that the file is a whole one at every moment. An
 * existing file keeps its owner and mode, but for the rights of others; a new one is 0640
 * and of the group pamtunnel if root writes it, and 0600 otherwise. Makes the folder. 0, or -errno
 * with why.
 */
int secret_file_replace(const char *path, const char *content, struct why *why);

#endif
