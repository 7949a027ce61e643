#include "shared/state_dir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int state_dir_make(const char *program, const char *folder, struct why *why)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        int err = -errno;
        return why_set(why, err, "cannot make STATE_DIR %s: %s%s", folder, strerror(-err),
                       err == -ENOENT   ? " (make its parent folder first)"
                       : err == -EACCES ? "; set STATE_DIR to a folder that this user can write to"
                                        : "");
    }
    if (access(folder, W_OK | X_OK) < 0) {
        int err = -errno;
        return why_set(why, err,
                       "cannot write in STATE_DIR %s: %s; run %s as the user that it belongs to, "
                       "or give it another folder",
                       folder, strerror(-err), program);
    }
    return 0;
}
