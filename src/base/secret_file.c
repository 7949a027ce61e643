#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- whose it is ------------------------------------------------------------- */

static bool is_ours(const struct stat *file)
{
    return file->st_uid == 0 || file->st_uid == geteuid();
}

/* Apart from root and the caller; the group that the caller's files get is the caller's own. */
static bool others_may_write(const struct stat *folder)
{
    bool by_group = (folder->st_mode & S_IWGRP) && folder->st_gid != getegid() &&
                    folder->st_gid != 0;
    return by_group || (folder->st_mode & S_IWOTH);
}

/* `path` is cut to each folder above it in turn: where others can move things, that goes too. */
static int check_way(char *path, struct why *why)
{
    struct stat folder;
    for (char *slash = strrchr(path, '/'); slash && slash > path; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (stat(path, &folder) == 0 && others_may_write(&folder) && !(folder.st_mode & S_ISVTX)) {
            return why_set(why, -EPERM, "others may write to the folder %s", path);
        }
    }
    return 0;
}

static int check_file(const char *path, const char *real, struct why *why)
{
    struct stat file;
    if (stat(real, &file) < 0 || is_ours(&file)) {
        return 0;
    }
    return why_set(why, -EPERM, "%s belongs to somebody else (uid %u)", path,
                   (unsigned)file.st_uid);
}

static int check_folder(const char *path, struct why *why)
{
    struct stat folder;
    if (stat(path, &folder) < 0 || (is_ours(&folder) && !others_may_write(&folder))) {
        return 0;
    }
    return why_set(why, -EPERM, "others may write to the folder %s", path);
}

int secret_file_is_safe(const char *path, struct why *why)
{
    char real[PATH_MAX + 2], folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    if (realpath(path, real)) {
        snprintf(folder, sizeof folder, "%s", real);
        int err = check_file(path, real, why);
        err = err < 0 ? err : check_folder(dirname(folder), why);
        return err < 0 ? err : check_way(real, why);
    }
    if (realpath(dirname(folder), real)) {
        int err = check_folder(real, why);
        return err < 0 ? err : check_way(real, why);
    }
    /* The folder is made, and is ours then. */
    if (!realpath(dirname(folder), real)) {
        return 0;
    }
    strcat(real, "/");
    return check_way(real, why);
}

/* ---- writing -------------------------------------------------------------- */

/* The group that packages make for the agents. */
static gid_t agents_group(void)
{
    const struct group *group = geteuid() == 0 ? getgrnam("pamtunnel") : NULL;
    return group ? group->gr_gid : getegid();
}

static int make_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    if (mkdir(folder, 0750) < 0) {
        return errno == EEXIST ? 0 : -errno;
    }
    return chown(folder, (uid_t)-1, agents_group()) < 0 ? -errno : 0;
}

static int set_rights(int fd, const char *path)
{
    struct stat old;
    if (stat(path, &old) == 0) {
        bool same = old.st_uid == geteuid() && old.st_gid == getegid();
        if (!same && fchown(fd, old.st_uid, old.st_gid) < 0) {
            return -errno;
        }
        return fchmod(fd, old.st_mode & 0770) < 0 ? -errno : 0;
    }
    bool root = geteuid() == 0;
    if (root && fchown(fd, 0, agents_group()) < 0) {
        return -errno;
    }
    return fchmod(fd, root ? 0640 : 0600) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        ssize_t put = write(fd, text + at, len - at);
        if (put < 0) {
            return -errno;
        }
        at += (size_t)put;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *content)
{
    char temporary[PATH_MAX + 8];
    int err = make_folder(path);
    if (err < 0) {
        return err;
    }
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
    if (fd < 0) {
        return -errno;
    }
    err = write_all(fd, content);
    err = err < 0 ? err : set_rights(fd, path);
    if (close(fd) < 0 && err == 0) {
        err = -errno;
    }
    if (err == 0 && rename(temporary, path) < 0) {
        err = -errno;
    }
    if (err < 0) {
        unlink(temporary);
    }
    return err;
}

static int say_unwritable(const char *path, int err, struct why *why)
{
    return why_set(why, err, "cannot write %s: %s%s", path, strerror(-err),
                   err == -EACCES || err == -EPERM
                       ? "; run this as root (with sudo), or name another file with --env-file"
                       : "");
}

static int refuse_unsafe(const char *path, struct why *why)
{
    struct why closer;
    int err = secret_file_is_safe(path, &closer);
    return err < 0 ? why_set(why, err, "%s: no secret will be written there", closer.text) : 0;
}

int secret_file_check(const char *path, struct why *why)
{
    int unsafe = refuse_unsafe(path, why);
    if (unsafe < 0) {
        return unsafe;
    }
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    char *folder = dirname(copy);
    int err = access(folder, W_OK) < 0 ? -errno : 0;
    if (err == -ENOENT) {
        err = access(dirname(folder), W_OK) < 0 ? -errno : 0; /* it is made */
    }
    return err < 0 ? say_unwritable(path, err, why) : 0;
}

int secret_file_replace(const char *path, const char *content, struct why *why)
{
    int err = refuse_unsafe(path, why);
    if (err < 0) {
        return err;
    }
    err = replace(path, content);
    return err < 0 ? say_unwritable(path, err, why) : 0;
}
