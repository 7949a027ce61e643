#include "gateway/health.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/probe.h"
#include "base/text.h"
#include "base/watch.h"

enum { BACKLOG = 8 };

static const char CONNECTED[] = "connected to the VPS";
static const char NOT_CONNECTED[] = "not connected to the VPS";

struct health {
    int fd;
    struct watch *watch;
    const struct uplink *uplink;
    const struct tunnels *tunnels;
};

/* One name for one uplink; what is too long for it is cut off, on both sides alike. */
static socklen_t address_of(const struct gateway_settings *settings, struct sockaddr_un *addr)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    struct text name = text_over(addr->sun_path + 1, sizeof addr->sun_path - 1);
    text_add(&name, "pamtunnel-gateway:%u:%s:%s", settings->control_port, settings->gateway_name,
             settings->vps_host);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.len);
}

/* ---- the agent ------------------------------------------------------------- */

int health_listen(const struct gateway_settings *settings)
{
    struct sockaddr_un addr;
    socklen_t len = address_of(settings, &addr);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, BACKLOG) < 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static void on_client(void *arg, int events)
{
    struct health *health = arg;
    (void)events;
    int fd = accept4(health->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    unsigned tunnels = tunnels_count(health->tunnels);
    char line[64];
    int len = snprintf(line, sizeof line, "%s, %u tunnel%s\n",
                       uplink_is_open(health->uplink) ? CONNECTED : NOT_CONNECTED, tunnels,
                       tunnels == 1 ? "" : "s");
    send(fd, line, (size_t)len, MSG_NOSIGNAL); /* a new socket takes that at once */
    close(fd);
}

struct health *health_new(uv_loop_t *loop, int fd, const struct uplink *uplink,
                          const struct tunnels *tunnels)
{
    struct health *health = calloc(1, sizeof *health);
    if (!health) {
        return NULL;
    }
    *health = (struct health){.fd = fd, .uplink = uplink, .tunnels = tunnels};
    health->watch = watch_new(loop, fd, on_client, health);
    if (!health->watch) {
        free(health);
        return NULL;
    }
    watch_set(health->watch, WATCH_READ);
    return health;
}

void health_free(struct health *health)
{
    if (health) {
        watch_free(health->watch);
        close(health->fd);
        free(health);
    }
}

/* ---- who asks -------------------------------------------------------------- */

int health_check(const struct gateway_settings *settings)
{
    struct sockaddr_un addr;
    socklen_t len = address_of(settings, &addr);
    char answer[64];
    struct why why;
    int err = probe(&addr, len, "", answer, sizeof answer, &why);
    if (err < 0) {
        printf("not healthy: %s\n", why.text);
        return err;
    }
    bool connected = strncmp(answer, CONNECTED, strlen(CONNECTED)) == 0;
    text_make_visible(answer); /* anybody may have taken the name before the agent did */
    printf("%s: %s\n", connected ? "healthy" : "not healthy", answer);
    return connected ? 0 : -ENOTCONN;
}
