#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "base/timer.h"

struct notify {
    int fd;
    struct sockaddr_un addr;
    socklen_t addr_len;
    uint64_t beat_ms; /* 0: no watchdog */
    struct timer *timer;
    bool (*is_well)(void *arg);
    void *arg;
};

/* ---- sending ---------------------------------------------------------------- */

static int notify_connect(const struct notify *notify)
{
    return connect(notify->fd, (const struct sockaddr *)&notify->addr, notify->addr_len) < 0
               ? -errno
               : 0;
}

static void notify_send(const struct notify *notify, const char *lines)
{
    if (!notify) {
        return;
    }
    /* A manager that was started anew has a new socket under the old name. */
    if (send(notify->fd, lines, strlen(lines), MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
        notify_connect(notify) == 0) {
        send(notify->fd, lines, strlen(lines), MSG_NOSIGNAL);
    }
}

void notify_ready(const struct notify *notify)
{
    notify_send(notify, "READY=1\n");
}

/* The manager tells this reload from an earlier one by the time. */
void notify_reloading(const struct notify *notify)
{
    char lines[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_send(notify, lines);
}

void notify_status(const struct notify *notify, const char *status)
{
    char lines[512] = "STATUS=";
    size_t len = strlen(lines);
    snprintf(lines + len, sizeof lines - len, "%s", status);
    /* A line feed in the status would be a second variable. */
    text_make_visible(lines);
    notify_send(notify, lines);
}

void notify_stopping(struct notify *notify)
{
    notify_send(notify, "STOPPING=1\n");
    if (notify) {
        timer_free(notify->timer);
        notify->timer = NULL;
    }
}

/* ---- the watchdog ----------------------------------------------------------- */

static void on_beat(void *arg)
{
    struct notify *notify = arg;
    if (notify->is_well(notify->arg)) {
        notify_send(notify, "WATCHDOG=1\n");
    }
    timer_set(notify->timer, notify->beat_ms);
}

int notify_beat(struct notify *notify, uv_loop_t *loop, bool (*is_well)(void *arg), void *arg)
{
    if (!notify || notify->beat_ms == 0) {
        return 0;
    }
    notify->timer = timer_new(loop, on_beat, notify);
    if (!notify->timer) {
        return -ENOMEM;
    }
    notify->is_well = is_well;
    notify->arg = arg;
    on_beat(notify);
    return 0;
}

/* How often to beat, in milliseconds. 0: not at all, or for another process. */
static uint64_t beat_interval(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    /* WATCHDOG_PID: the variables may be inherited from a parent that is watched. */
    if (!usec || (pid && strtoll(pid, NULL, 10) != getpid())) {
        return 0;
    }
    unsigned long long interval = strtoull(usec, NULL, 10);
    /* Half of it, as sd_watchdog_enabled(3) advises, in ms. */
    return interval == 0 ? 0 : interval / 2000 + 1;
}

/* ---- life ------------------------------------------------------------------- */

/* A path, or a name in the abstract name space, written with an @ in front. */
static int notify_parse(struct notify *notify, const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof notify->addr.sun_path) {
        return -EINVAL;
    }
    notify->addr.sun_family = AF_UNIX;
    memcpy(notify->addr.sun_path, name, len);
    size_t ends = name[0] == '/'; /* a path counts its NUL, an abstract name has none */
    if (name[0] == '@') {
        notify->addr.sun_path[0] = '\0';
    }
    notify->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + ends);
    return 0;
}

int notify_open(struct notify **ret_notify, struct why *why)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (!name || !name[0]) {
        *ret_notify = NULL;
        return 0;
    }
    struct notify *notify = calloc(1, sizeof *notify);
    if (!notify) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = notify->fd < 0 ? -errno : notify_parse(notify, name);
    err = err < 0 ? err : notify_connect(notify);
    if (err < 0) {
        notify_free(notify);
        return why_set(why, err, "cannot reach the service manager at NOTIFY_SOCKET %s: %s", name,
                       strerror(-err));
    }
    notify->beat_ms = beat_interval();
    *ret_notify = notify;
    return 0;
}

void notify_free(struct notify *notify)
{
    if (!notify) {
        return;
    }
    timer_free(notify->timer);
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    free(notify);
}
