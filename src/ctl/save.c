#include "ctl/save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);
        if (wrote < 0 && errno != EINTR) {
            return -errno;
        }
        text += wrote > 0 ? wrote : 0;
        len -= wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static int write_file(const char *path, int flags, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0) {
        return -errno;
    }
    int err = write_all(fd, content);
    if (close(fd) < 0 && err == 0) {
        err = -errno;
    }
    return err;
}

int save(const char *out, const char *name, const char *content, struct why *why)
{
    int err;
    if (out && strcmp(out, "-") == 0) {
        err = write_all(STDOUT_FILENO, content);
    } else {
        err = write_file(out ? out : name, out ? O_TRUNC : O_EXCL, content);
    }
    if (err < 0) {
        why_set(why, err, "cannot write %s: %s%s; the session is closed again", out ? out : name,
                strerror(-err), err == -EEXIST ? "; choose a name with --out FILE" : "");
    }
    return err;
}
