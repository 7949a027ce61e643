#include "vps/telegram/offset.h"

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
    LINE_MAX_LEN = 64,
};

static const char LOAD[] = "SELECT bot, next, at FROM queue WHERE api_url=?1 ORDER BY at DESC";
static const char KEEP[] = "INSERT INTO queue(bot, api_url, next, at) VALUES(?1, ?2, ?3, ?4) "
                           "ON CONFLICT(bot, api_url) DO UPDATE SET next=?3, at=?4";

/* ---- what is kept ----------------------------------------------------------- */

static void load(void *arg, const struct row *row)
{
    struct offset *offset = arg;
    int64_t at = row_number(row, 2); /* one that no clock shows is not to be reckoned with */
    if (offset->kept_count < OFFSET_KEPT_MAX && at >= 0) {
        offset->kept[offset->kept_count++] = (struct offset_kept){
            .bot_id = row_number(row, 0), .next = row_number(row, 1), .at = at};
    }
}

static void read_old_file(struct offset *offset)
{
    char line[LINE_MAX_LEN + 1];
    int fd = open(offset->old_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, line, LINE_MAX_LEN);
    if (fd >= 0) {
        close(fd);
    }
    line[len > 0 ? len : 0] = '\0';
    int64_t next, changed;
    int end = 0;
    if (sscanf(line, "%18" SCNd64 " %18" SCNd64 "%n", &next, &changed, &end) == 2 &&
        strcmp(line + end, "\n") == 0) {
        offset->old = (struct offset_kept){.next = next, .at = changed};
    }
}

void offset_init(struct offset *offset, struct store *store, const char *state_dir,
                 const char *api_url)
{
    const struct statement statement = {LOAD, {value_text(api_url)}};
    *offset = (struct offset){.store = store, .api_url = api_url};
    snprintf(offset->old_path, sizeof offset->old_path, "%s/telegram.offset", state_dir);
    store_read(store, &statement, load, offset);
    read_old_file(offset);
}

void offset_done(struct offset *offset)
{
    store_detach(offset->store, offset);
}

static int keep(struct offset *offset, int64_t at, statement_done_fn done, void *arg)
{
    const struct statement statement = {KEEP,
                                        {value_number(offset->bot_id), value_text(offset->api_url),
                                         value_number(offset->next), value_number(at)}};
    return store_write(offset->store, &statement, done, arg);
}

/* ---- what counts ------------------------------------------------------------ */

static void take_up(struct offset *offset, const struct offset_kept *kept, int64_t now_unix)
{
    int64_t age = now_unix - kept->at;
    if (kept->next > 0 && age >= -FUTURE_S && age < STALE_S) {
        offset->next = kept->next;
        offset->stale_ms = clock_ms() + (uint64_t)(STALE_S - age) * 1000;
    }
}

static void on_taken_over(void *arg, int err)
{
    struct offset *offset = arg;
    if (err == 0) {
        unlink(offset->old_path);
    }
}

void offset_load(struct offset *offset, int64_t bot_id, int64_t now_unix)
{
    const struct offset_kept *newest = &offset->old;
    offset->bot_id = bot_id;
    offset->next = 0;
    for (unsigned i = 0; i < offset->kept_count; i++) {
        if (offset->kept[i].bot_id == bot_id && offset->kept[i].at >= newest->at) {
            newest = &offset->kept[i];
        }
    }
    take_up(offset, newest, now_unix);
    if (access(offset->old_path, F_OK) == 0) {
        keep(offset, newest->at, on_taken_over, offset);
    }
}

int64_t offset_get(const struct offset *offset)
{
    return clock_ms() < offset->stale_ms ? offset->next : 0;
}

int offset_pass(struct offset *offset, int64_t update_id, int64_t now_unix, statement_done_fn done,
                void *arg)
{
    offset->next = update_id + 1;
    offset->stale_ms = clock_ms() + (uint64_t)STALE_S * 1000;
    return keep(offset, now_unix, done, arg);
}

void offset_restart(struct offset *offset)
{
    offset->next = 0;
}
