#include "vps/bot/offset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    STALE_S = 6 * 24 * 3600,
    FUTURE_S = 60, /* as far as two clocks may differ */
    LINE_MAX_LEN = 64 + URL_MAX,
};

void offset_init(struct offset *offset, const char *state_dir, const char *api_url)
{
    *offset = (struct offset){.api_url = api_url};
    snprintf(offset->path, sizeof offset->path, "%s/telegram.offset", state_dir);
}

/* A line without a queue is one of before 0.2: it is taken for ours. */
static bool is_ours(const struct offset *offset, const char *queue)
{
    int64_t bot_id;
    int end = 0;
    size_t len = strlen(offset->api_url);
    return strcmp(queue, "\n") == 0 ||
           (sscanf(queue, " %18" SCNd64 " %n", &bot_id, &end) == 1 && bot_id == offset->bot_id &&
            strncmp(queue + end, offset->api_url, len) == 0 &&
            strcmp(queue + end + len, "\n") == 0);
}

static void read_line(struct offset *offset, const char *line, int64_t now_unix)
{
    int64_t next, changed;
    int end = 0;
    if (sscanf(line, "%18" SCNd64 " %18" SCNd64 "%n", &next, &changed, &end) != 2 || next <= 0 ||
        !is_ours(offset, line + end)) {
        return;
    }
    int64_t age = now_unix - changed;
    if (age >= -FUTURE_S && age < STALE_S) {
        offset->next = next;
        offset->stale_ms = clock_ms() + (uint64_t)(STALE_S - age) * 1000;
    }
}

void offset_load(struct offset *offset, int64_t bot_id, int64_t now_unix)
{
    offset->bot_id = bot_id;
    offset->next = 0;
    int fd = open(offset->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    char line[LINE_MAX_LEN + 1];
    ssize_t len = read(fd, line, LINE_MAX_LEN);
    close(fd);
    if (len > 0) {
        line[len] = '\0';
        read_line(offset, line, now_unix);
    }
}

int64_t offset_get(const struct offset *offset)
{
    return clock_ms() < offset->stale_ms ? offset->next : 0;
}

/*
 * Written beside and renamed, so that the file is always a whole one. Not synced to
 * the disk: what a power failure takes away is older than a minute when the machine
 * is up again, and such commands are not run any more.
 */
static int offset_write(const struct offset *offset, int64_t now_unix)
{
    char temporary[sizeof offset->path + 4];
    snprintf(temporary, sizeof temporary, "%s.new", offset->path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    char line[LINE_MAX_LEN + 1];
    int len = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %" PRId64 " %s\n", offset->next,
                       now_unix, offset->bot_id, offset->api_url);
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
    offset->stale_ms = clock_ms() + (uint64_t)STALE_S * 1000;
    return offset_write(offset, now_unix);
}

void offset_restart(struct offset *offset)
{
    offset->next = 0;
}
