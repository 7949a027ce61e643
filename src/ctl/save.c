#include "ctl/save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/* A device or a pipe is whoever's it is. */
static bool is_open_to_others(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_mode & 077;
}

/* It may have been there. */
static int close_to_others(int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return -errno;
    }
    return is_open_to_others(&info) && fchmod(fd, 0600) < 0 ? -errno : 0;
}

static int write_file(const char *path, int flags, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0) {
        return -errno;
    }
    /* Before the first byte: open(2)'s mode does nothing for a file that existed. */
    int err = close_to_others(fd);
    err = err < 0 ? err : write_all(fd, content);
    if (close(fd) < 0 && err == 0) {
        err = -errno;
    }
    return err;
}

const char *save_path(const struct save_as *as)
{
    return as->out ? as->out : as->name;
}

static bool to_stdout(const struct save_as *as)
{
    return as->out && strcmp(as->out, "-") == 0;
}

static bool may_replace(const struct save_as *as)
{
    /* A name that the user chose with --out is a decision; one made from the host is not. */
    return as->out || as->force;
}

static int cannot(const struct save_as *as, int err, const char *session, struct why *why)
{
    return why_set(why, err, "cannot write %.150s: %s%s; %s", save_path(as), strerror(-err),
                   err == -EEXIST ? "; choose a name with --out FILE, or replace it with --force"
                                  : "",
                   as->of_session ? session : "nothing was written");
}

/* The folder that a file is to be made in. */
static int check_folder(const char *path)
{
    /* access(2) of the folder, with its search bit: that is what making a file in it takes. */
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    if (len >= sizeof folder) {
        return -ENAMETOOLONG;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)len, path);
    return access(len ? folder : ".", W_OK | X_OK) < 0 ? -errno : 0;
}

static int check_path(const struct save_as *as)
{
    /* access(2) may be wrong by the time of the write; then the session was closed again. */
    struct stat info;
    const char *path = save_path(as);
    if (stat(path, &info) < 0) {
        return errno == ENOENT ? check_folder(path) : -errno;
    }
    if (!may_replace(as)) {
        return -EEXIST;
    }
    if (S_ISDIR(info.st_mode)) {
        return -EISDIR;
    }
    /* Only its owner or root may chmod(2) it. */
    if (is_open_to_others(&info) && geteuid() != 0 && geteuid() != info.st_uid) {
        return -EPERM; /* it could not be closed to them */
    }
    return access(path, W_OK) < 0 ? -errno : 0;
}

int save_check(const struct save_as *as, struct why *why)
{
    int err = to_stdout(as) ? 0 : check_path(as);
    return err < 0 ? cannot(as, err, "no session was opened", why) : 0;
}

int save(const struct save_as *as, const char *content, struct why *why)
{
    int err = to_stdout(as)
                  ? write_all(STDOUT_FILENO, content)
                  : write_file(save_path(as), may_replace(as) ? O_TRUNC : O_EXCL, content);
    return err < 0 ? cannot(as, err, "the session was closed again", why) : 0;
}
