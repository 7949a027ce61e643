/* save: where the .rdp file goes. */
#ifndef PAMTUNNEL_CTL_SAVE_H
#define PAMTUNNEL_CTL_SAVE_H

#include "base/why.h"

/*
 * Writes the content, mode 0600, to the file that the user named with --out ("-":
 * standard output), which it overwrites; or if out is NULL to the file `name` in
 * the current folder, which must not exist: nobody chose that name. 0 or -errno
 * with why.
 */
int save(const char *out, const char *name, const char *content, struct why *why);

#endif
