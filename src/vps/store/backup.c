/*
 * SQLite writes the copy from one read (VACUUM INTO): it is whole by itself, without the space that
 * is free in the original, and no write changes it or waits for it meanwhile.
 */
#include "vps/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vps/store/task.h"

struct backup {
    struct task task; /* first */
    statement_done_fn done;
    void *arg;
    char path[]; /* of the copy */
};

/* ---- in the reader's thread -------------------------------------------------- */

/* Empty, and nobody else's to read: SQLite would make it with another mode. */
static int make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int err = fchmod(fd, 0600) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

/* The file, and that it is there. */
static int sync_file(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    int err = sync_path(path, 0);
    return err < 0 ? err : sync_path(dirname(folder), O_DIRECTORY);
}

static int run(struct task *task, struct database *database)
{
    const struct backup *backup = (const struct backup *)task;
    const struct statement copy = {"VACUUM INTO ?1", {value_text(backup->path)}};
    int err = make_file(backup->path);
    if (err < 0) {
        return err;
    }
    err = database_run(database, &copy, NULL, NULL);
    err = err < 0 ? err : sync_file(backup->path);
    if (err < 0) {
        unlink(backup->path);
    }
    return err;
}

/* ---- on the loop -------------------------------------------------------------- */

static void tell(struct task *task)
{
    struct backup *backup = (struct backup *)task;
    backup->done(backup->arg, task->err);
}

static void free_task(struct task *task)
{
    free(task);
}

struct task *backup_task(const char *path, statement_done_fn done, void *arg)
{
    size_t size = strlen(path) + 1;
    struct backup *backup = calloc(1, sizeof *backup + size);
    if (!backup) {
        return NULL;
    }
    backup->task.run = run;
    backup->task.tell = tell;
    backup->task.free = free_task;
    backup->task.owner = backup->arg = arg;
    backup->done = done;
    memcpy(backup->path, path, size);
    return &backup->task;
}
