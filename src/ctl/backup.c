/*
 * vps-agent may write in STATE_DIR alone, so that the copy is made there, beside its socket, and
 * moved by pamctl: copied under another name first, so that there is a whole file of the name that
 * was asked for, or none.
 */
#include "ctl/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ask.h"

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

static json_t *failure(const char *path, int err)
{
    char sentence[PATH_MAX + 128];
    snprintf(sentence, sizeof sentence, "cannot write %.200s: %s%s", path, strerror(-err),
             err == -EEXIST ? "; choose another name, or replace it with --force" : "");
    return ask_failure("not_written", sentence);
}

/* What is not a plain file was put there by somebody else. */
static int open_from(const char *path, int *ret_fd)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    *ret_fd = fd;
    return 0;
}

static int copy_all(int to, int from)
{
    ssize_t copied;
    while ((copied = sendfile(to, from, NULL, 1 << 24)) > 0) {
    }
    return copied < 0 || fsync(to) < 0 ? -errno : 0;
}

/* Whatever it is: sendfile(2) does not append to a file, and nothing syncs a pipe. */
static int copy_to_stdout(const char *from)
{
    char bytes[16384];
    int fd = -1, err = open_from(from, &fd);
    ssize_t len = 0;
    while (err == 0 && (len = read(fd, bytes, sizeof bytes)) > 0) {
        err = fwrite(bytes, 1, (size_t)len, stdout) < (size_t)len ? -errno : 0;
    }
    err = err == 0 && (len < 0 || fflush(stdout) == EOF) ? -errno : err;
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

/* link(2) fails where rename(2) would replace. */
static int give_name(const char *part, const char *to, bool replace)
{
    if (replace) {
        return rename(part, to) < 0 ? -errno : 0;
    }
    int err = link(part, to) < 0 ? -errno : 0;
    unlink(part);
    return err;
}

static int copy_file(const char *from, const char *to, bool replace)
{
    char part[PATH_MAX]; /* of a name that nobody has, so that nothing of theirs is in it */
    int from_fd = -1, err = open_from(from, &from_fd);
    if (err < 0) {
        return err;
    }
    int len = snprintf(part, sizeof part, "%s.XXXXXX", to);
    errno = ENAMETOOLONG;
    int fd = len < (int)sizeof part ? mkostemp(part, O_CLOEXEC) : -1;
    err = fd < 0 ? -errno : fchmod(fd, 0600) < 0 ? -errno : copy_all(fd, from_fd);
    close(from_fd);
    if (fd >= 0) {
        close(fd);
    }
    err = err < 0 ? err : give_name(part, to, replace);
    if (err < 0 && fd >= 0) {
        unlink(part);
    }
    return err < 0 ? err : sync_folder_of(to);
}

/* One that somebody left behind who was interrupted is in the way. */
static void remove_left_over(const char *socket_path)
{
    char path[PATH_MAX];
    const char *slash = strrchr(socket_path, '/');
    if (slash) {
        snprintf(path, sizeof path, "%.*s/backup.db", (int)(slash - socket_path), socket_path);
        unlink(path);
    }
}

/* The file that is to be copied, or one of those beside it: the agent has them open. */
static bool is_live(const char *to, const char *socket_path)
{
    static const char *const FILES[] = {"state.db", "state.db-wal", "state.db-shm",
                                        "audit.reserve"};
    char path[PATH_MAX];
    struct stat file, live;
    const char *slash = strrchr(socket_path, '/');
    for (size_t i = 0; slash && stat(to, &file) == 0 && i < sizeof FILES / sizeof *FILES; i++) {
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - socket_path), socket_path, FILES[i]);
        if (stat(path, &live) == 0 && live.st_dev == file.st_dev && live.st_ino == file.st_ino) {
            return true;
        }
    }
    return false;
}

json_t *backup(const struct invocation *invocation, const char *socket_path)
{
    const char *to = invocation->args[0];
    bool replace = invocation->options & OPTION_FORCE;
    struct stat file;
    if (is_live(to, socket_path)) {
        return ask_failure("not_written", "that is the file that vps-agent works with: a copy in "
                                          "its place would be taken for somebody's work; choose "
                                          "another name");
    }
    if (is_stdout(to) && isatty(STDOUT_FILENO)) {
        return ask_failure("not_written", "standard output is a terminal: send it to a file");
    }
    if (!is_stdout(to) && !replace && lstat(to, &file) == 0) { /* before the work is done */
        return failure(to, -EEXIST);
    }
    remove_left_over(socket_path);
    json_t *request = json_pack("{s:s}", "command", "backup");
    json_t *reply = ask_anyhow(socket_path, request);
    const char *from = json_string_value(json_object_get(reply, "file"));
    json_decref(request);
    if (!from) {
        return reply;
    }
    int err = is_stdout(to) ? copy_to_stdout(from) : copy_file(from, to, replace);
    unlink(from);
    if (err < 0) {
        json_decref(reply);
        return failure(to, err);
    }
    json_object_set_new(reply, "file", json_string(to));
    return reply;
}
