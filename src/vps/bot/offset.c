#include "vps/bot/offset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STALE_S = 6 * 24 * 3600, LINE_MAX_LEN = 64 };

void offset_init(struct offset *offset, const char *state_dir)
{
    *offset = (struct offset){0};
    snprintf(offset->path, sizeof offset->path, "%s/telegram.offset", state_dir);
    int fd = open(offset->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    char line[LINE_MAX_LEN + 1];
    ssize_t len = read(fd, line, LINE_MAX_LEN);
    close(fd);
    if (len <= 0) {
        return;
    }
    line[len] = '\0';
    int64_t next, changed;
    int end = 0;
    if (sscanf(line, "%18" SCNd64 " %18" SCNd64 "%n", &next, &changed, &end) == 2 &&
        strcmp(line + end, "\n") == 0 && next > 0) {
        offset->next = next;
        offset->changed_unix = changed;
    }
}

int64_t offset_get(const struct offset *offset, int64_t now_unix)
{
    return now_unix - offset->changed_unix < STALE_S ? offset->next : 0;
}

/*
 * Written beside and renamed, so that the file is always a whole one. Not synced to
 * the disk: what a power failure takes away is older than a minute when the machine
 * is up again, and such commands are not run any more.
 */
static int offset_write(const struct offset *offset)
{
    char temporary[sizeof offset->path + 4];
    snprintf(temporary, sizeof temporary, "%s.new", offset->path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    char line[LINE_MAX_LEN];
    int len = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 "\n", offset->next,
                       offset->changed_unix);
    errno = 0;
    int err = write(fd, line, (size_t)len) == len ? 0 : errno ? -errno : -EIO;
    if (close(fd) < 0 && err == 0) {
        err = -errno;
    }
    if (err == 0 && rename(temporary, offset->path) < 0) {
        err = -errno;
    }
    return err;
}

int offset_pass(struct offset *offset, int64_t update_id, int64_t now_unix)
{
    offset->next = update_id + 1;
    offset->changed_unix = now_unix;
    return offset_write(offset);
}
