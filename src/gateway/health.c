#include "gateway/health.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/lines.h"
#include "base/probe.h"
#include "base/text.h"

static const char CONNECTED[] = "connected to the VPS";
static const char NOT_CONNECTED[] = "not connected to the VPS";

struct health {
    struct lines *lines;
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
    return lines_listen(&addr, len);
}

/* Whoever it is gets one line, and is not listened to. */
static void on_called(void *arg, struct lines_client *client)
{
    struct health *health = arg;
    unsigned tunnels = tunnels_count(health->tunnels);
    char line[64];
    snprintf(line, sizeof line, "%s, %u tunnel%s",
             uplink_is_open(health->uplink) ? CONNECTED : NOT_CONNECTED, tunnels,
             tunnels == 1 ? "" : "s");
    lines_say(client, line);
    lines_hang_up(client);
}

struct health *health_new(uv_loop_t *loop, int fd, const struct uplink *uplink,
                          const struct tunnels *tunnels)
{
    struct health *health = calloc(1, sizeof *health);
    if (!health) {
        return NULL;
    }
    struct lines_rules rules = {.loop = loop, .called = on_called, .arg = health};
    *health = (struct health){.uplink = uplink, .tunnels = tunnels};
    health->lines = lines_new(fd, &rules);
    if (!health->lines) {
        free(health);
        return NULL;
    }
    return health;
}

void health_free(struct health *health)
{
    if (health) {
        lines_free(health->lines);
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
