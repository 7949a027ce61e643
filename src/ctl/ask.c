#include "ctl/ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/envfile.h"
#include "base/settings.h"
#include "shared/service.h"
#include "shared/state_dir.h"

enum { ANSWER_MIN = 8192, ANSWER_MAX = 64 << 20 };

/* That of vps-agent, if this user may read what it was told. */
void ask_path(const char *given, char *dst, size_t cap)
{
    char folder[SETTING_VALUE_MAX];
    if (given) {
        snprintf(dst, cap, "%s", given);
    } else {
        bool known = settings_peek(VPS_ENV_FILE, "STATE_DIR", folder, NULL) == 0 && folder[0];
        snprintf(dst, cap, "%s%s", known ? folder : STATE_DIR_DEFAULT, STATE_DIR_SOCKET);
    }
}

static const char *what_to_do(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return "only root and the user of vps-agent may use it: try it with sudo";
    case -ENOENT:
        return "is vps-agent running, and with this STATE_DIR? Start it, or name its socket with "
               "--socket PATH";
    default:
        return "is vps-agent running, and with this STATE_DIR?";
    }
}

static int connect_agent(const char *path, struct why *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    /* Cut off, it would be the path of another socket. */
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
        return why_set(why, err, "cannot reach vps-agent at %s: %s; %s", path, strerror(-err),
                       what_to_do(err));
    }
    return fd;
}

static int send_line(int fd, const json_t *request)
{
    char *line = json_dumps(request, JSON_COMPACT);
    if (!line) {
        return -ENOMEM;
    }
    /* SIGPIPE would end the program without a sentence: hence MSG_NOSIGNAL below. */
    size_t len = strlen(line);
    line[len] = '\n'; /* instead of the NUL */
    int err = 0;
    /* "<=": the newline stands at line[len]. */
    for (size_t at = 0; at <= len && err == 0;) {
        ssize_t sent = send(fd, line + at, len + 1 - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            err = -errno;
        }
        at += sent > 0 ? (size_t)sent : 0;
    }
    explicit_bzero(line, len); /* it may hold a code */
    free(line);
    return err;
}

static int hung_up(struct why *why)
{
    return why_set(why, -EIO, "vps-agent hung up without an answer; %s",
                   geteuid() == 0 ? "its log says why"
                                  : "only root and the user of vps-agent may ask it");
}

int ask_send(const char *socket_path, const json_t *request, struct why *why)
{
    int fd = connect_agent(socket_path, why);
    if (fd < 0) {
        return fd;
    }
    /* It hangs up on users who may not ask, perhaps before the whole line is there. */
    if (send_line(fd, request) < 0) {
        close(fd);
        return hung_up(why);
    }
    return fd;
}

/* Up to the newline, with nothing behind it: the agent says no more than it is asked. */
static char *hear_line(int fd, size_t *ret_len)
{
    char *line = NULL;
    size_t len = 0, size = 0;
    while (len == 0 || line[len - 1] != '\n') {
        if (len == size) {
            char *larger = size < ANSWER_MAX ? realloc(line, size += size ? size : ANSWER_MIN)
                                             : NULL;
            if (!larger) {
                break;
            }
            line = larger;
        }
        ssize_t got = read(fd, line + len, size - len);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    *ret_len = len;
    return line;
}

int ask_hear(int fd, json_t **ret_reply, struct why *why)
{
    /* Not by json_loadfd(), which takes a system call for each byte. */
    size_t len;
    char *line = hear_line(fd, &len);
    json_t *reply = line ? json_loadb(line, len, 0, NULL) : NULL;
    if (line) {
        explicit_bzero(line, len); /* it may hold a secret */
    }
    free(line);
    if (!reply) {
        return hung_up(why);
    }
    *ret_reply = reply;
    return 0;
}

int ask_send_on(int fd, const json_t *request, struct why *why)
{
    return send_line(fd, request) < 0 ? hung_up(why) : 0;
}

int ask_more(int fd, const json_t *request, json_t **ret_reply, struct why *why)
{
    int err = ask_send_on(fd, request, why);
    return err < 0 ? err : ask_hear(fd, ret_reply, why);
}

int ask_receive(int fd, json_t **ret_reply, struct why *why)
{
    int err = ask_hear(fd, ret_reply, why);
    close(fd);
    return err;
}

int ask(const char *socket_path, const json_t *request, json_t **ret_reply, struct why *why)
{
    int fd = ask_send(socket_path, request, why);
    return fd < 0 ? fd : ask_receive(fd, ret_reply, why);
}

json_t *ask_failure(const char *word, const char *sentence)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", word, "message", sentence);
}

json_t *ask_anyhow(const char *socket_path, const json_t *request)
{
    struct why why;
    /* So that callers, --json above all, have one form of answer to deal with. */
    json_t *reply = NULL;
    return ask(socket_path, request, &reply, &why) < 0 ? ask_failure("unreachable", why.text)
                                                       : reply;
}
