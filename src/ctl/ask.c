#include "ctl/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_agent(const char *path, struct why *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof addr.sun_path) {
        return why_set(why, -ENAMETOOLONG, "the path of the socket is too long: %.80s...", path);
    }
    strcpy(addr.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return why_set(why, -errno, "%s", strerror(errno));
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        int err = -errno;
        close(fd);
        const char *hint = err == -EACCES ? "only root and the user of vps-agent may use it"
                                          : "is vps-agent running, and with this STATE_DIR?";
        return why_set(why, err, "cannot reach vps-agent at %s: %s; %s", path, strerror(-err),
                       hint);
    }
    return fd;
}

static int send_line(int fd, const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    if (!line) {
        return -ENOMEM;
    }
    size_t len = strlen(line);
    line[len] = '\n'; /* instead of the NUL */
    int err = 0;
    for (size_t at = 0; at <= len && err == 0;) {
        ssize_t sent = send(fd, line + at, len + 1 - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            err = -errno;
        }
        at += sent > 0 ? (size_t)sent : 0;
    }
    free(line);
    return err;
}

int ask(const char *socket_path, const json_t *request, json_t **ret_reply, struct why *why)
{
    int fd = connect_agent(socket_path, why);
    if (fd < 0) {
        return fd;
    }
    int err = send_line(fd, request);
    json_t *reply = NULL;
    if (err == 0) {
        /* The agent answers with one line and keeps the connection open. */
        reply = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
    }
    close(fd);
    if (!reply) {
        return why_set(why, -EIO, "vps-agent hung up without an answer; %s",
                       geteuid() == 0 ? "its log says why"
                                      : "only root and the user of vps-agent may ask it");
    }
    *ret_reply = reply;
    return 0;
}
