#include "gateway/health.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/lines_ask.h"
#include "base/text.h"

static const char CONNECTED[] = "connected to the VPS";
static const char NOT_CONNECTED[] = "not connected to the VPS";

struct health {
    struct lines *lines[HEALTH_ADDRESSES];
    const struct uplink *uplink;
    const struct tunnels *tunnels;
};

static socklen_t length_of(const struct text *name)
{
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name->len);
}

/* One name for one uplink; what is too long for it is cut off, on both sides alike. */
static socklen_t address_of(const struct gateway_settings *settings, struct sockaddr_un *addr)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    struct text name = text_over(addr->sun_path + 1, sizeof addr->sun_path - 1);
    text_add(&name, "pamtunnel-gateway:%u:%s:%s", settings->control_port, settings->gateway_name,
             settings->vps_host);
    return length_of(&name);
}

/* 0: there is no such file, or its path is too long. */
static socklen_t address_of_file(const char *env_file, struct sockaddr_un *addr)
{
    char path[PATH_MAX];
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    struct text name = text_over(addr->sun_path + 1, sizeof addr->sun_path - 1);
    if (!env_file || !realpath(env_file, path)) {
        return 0;
    }
    text_add(&name, "pamtunnel-gateway:%s", path);
    return name.cut ? 0 : length_of(&name);
}

/* ---- the agent ------------------------------------------------------------- */

int health_listen(const struct gateway_settings *settings, const char *env_file,
                  int ret_fds[HEALTH_ADDRESSES])
{
    struct sockaddr_un addr;
    int fd = lines_listen(&addr, address_of(settings, &addr));
    socklen_t len = address_of_file(env_file, &addr);
    int of_file = fd >= 0 && len > 0 ? lines_listen(&addr, len) : -1;
    ret_fds[0] = fd < 0 ? -1 : fd;
    ret_fds[1] = of_file < 0 ? -1 : of_file;
    return fd < 0 ? fd : 0;
}

/* Whoever it is gets one line, and is not listened to. */
static void on_called(void *arg, struct lines_client *client)
{
    struct health *health = arg;
    unsigned tunnels = tunnels_count(health->tunnels);
    const char *code = uplink_code(health->uplink);
    char line[HEALTH_ANSWER_MAX];
    snprintf(line, sizeof line, "%s, %u tunnel%s",
             uplink_is_open(health->uplink) ? CONNECTED : NOT_CONNECTED, tunnels,
             tunnels == 1 ? "" : "s");
    if (code[0]) {
        snprintf(line, sizeof line, "waits to be let in; its code is %s", code);
    }
    /* Nothing secret: anybody on the machine may connect to an abstract socket. */
    lines_say(client, line);
    lines_hang_up(client);
}

struct health *health_new(uv_loop_t *loop, const int fds[HEALTH_ADDRESSES],
                          const struct uplink *uplink, const struct tunnels *tunnels)
{
    struct health *health = calloc(1, sizeof *health);
    if (!health) {
        return NULL;
    }
    struct lines_rules rules = {.loop = loop, .called = on_called, .arg = health};
    *health = (struct health){.uplink = uplink, .tunnels = tunnels};
    health->lines[0] = lines_new(fds[0], &rules);
    if (!health->lines[0]) {
        free(health);
        return NULL;
    }
    health->lines[1] = fds[1] < 0 ? NULL : lines_new(fds[1], &rules);
    if (fds[1] >= 0 && !health->lines[1]) {
        close(fds[1]);
    }
    return health;
}

void health_free(struct health *health)
{
    if (health) {
        lines_free(health->lines[0]);
        lines_free(health->lines[1]);
        free(health);
    }
}

/* ---- who asks -------------------------------------------------------------- */

int health_ask(const struct gateway_settings *settings, const char *env_file,
               char ret_answer[HEALTH_ANSWER_MAX], struct why *why)
{
    struct sockaddr_un addr, of_file;
    socklen_t len = address_of(settings, &addr), len_of_file = address_of_file(env_file, &of_file);
    int err = lines_ask(&addr, len, "", ret_answer, HEALTH_ANSWER_MAX, why);
    if (err == -ECONNREFUSED && len_of_file > 0) { /* it began with other settings */
        err = lines_ask(&of_file, len_of_file, "", ret_answer, HEALTH_ANSWER_MAX, why);
    }
    if (err < 0) {
        return err;
    }
    bool connected = strncmp(ret_answer, CONNECTED, strlen(CONNECTED)) == 0;
    text_make_visible(ret_answer); /* anybody may have taken the name before the agent did */
    return connected ? 0 : why_set(why, -ENOTCONN, "%s", ret_answer);
}

int health_check(const struct gateway_settings *settings, const char *env_file)
{
    char answer[HEALTH_ANSWER_MAX];
    struct why why;
    int err = health_ask(settings, env_file, answer, &why);
    printf("%s: %s\n", err < 0 ? "not healthy" : "healthy", err < 0 ? why.text : answer);
    return err;
}
