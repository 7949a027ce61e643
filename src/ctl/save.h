/* save: where the file goes that a command makes: an .rdp file, a report. */
#ifndef PAMTUNNEL_CTL_SAVE_H
#define PAMTUNNEL_CTL_SAVE_H

#include <stdbool.h>

#include "base/why.h"

struct save_as {
    const char *out;  /* what the user named with --out; "-": standard output; NULL: nothing */
    const char *name; /* what the file is called otherwise, in the current folder */
    bool force;       /* nobody chose that name: an existing file is only replaced with this */
    bool of_session;  /* it is worth a session, and is opened by it */
};

/* The path of the file. */
const char *save_path(const struct save_as *as);
/* Before it is made or opens a session: 0, or -errno with why if it cannot be written. */
int save_check(const struct save_as *as, struct why *why);
/* Writes the content, with mode 0600 even if the file existed. 0 or -errno with why. */
int save(const struct save_as *as, const char *content, struct why *why);

#endif
