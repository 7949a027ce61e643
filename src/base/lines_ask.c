#include "base/lines_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* One line, until `deadline` (clock_ms()). */
static int read_line(int fd, uint64_t deadline, char *answer, size_t size)
{
    size_t have = 0;
    for (;;) {
        uint64_t now = clock_ms();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int count = now < deadline ? poll(&ready, 1, (int)(deadline - now)) : 0;
        if (count == 0) {
            return -ETIMEDOUT;
        }
        ssize_t got = count < 0 ? -1 : recv(fd, answer + have, size - have, MSG_DONTWAIT);
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            return -errno;
        }
        char *end = got > 0 ? memchr(answer + have, '\n', (size_t)got) : NULL;
        if (end) {
            *end = '\0';
            return 0;
        }
        have += got > 0 ? (size_t)got : 0;
        /* A wrong answer is not waited out: a health check has a deadline of its own. */
        if (got == 0 || have == size) {
            return -EPROTO; /* it hung up, or goes on and on */
        }
    }
}

static int converse(int fd, const struct sockaddr_un *addr, socklen_t addr_len, const char *request,
                    char *answer, size_t size)
{
    uint64_t deadline = clock_ms() + LINES_ASK_MS;
    /* A Unix socket is connected at once or not at all: EAGAIN is a full queue of others. */
    if (connect(fd, (const struct sockaddr *)addr, addr_len) < 0) {
        return -errno;
    }
    if (request[0] && send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        return -errno;
    }
    return read_line(fd, deadline, answer, size);
}

int lines_ask(const struct sockaddr_un *addr, socklen_t addr_len, const char *request, char *answer,
              size_t size, struct why *why)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return why_set(why, -errno, "%s", strerror(errno));
    }
    int err = converse(fd, addr, addr_len, request, answer, size);
    close(fd);
    switch (err) {
    case 0:
        return 0;
    case -ENOENT:
    case -ECONNREFUSED:
        return why_set(why, err, "no agent is running with these settings");
    case -ETIMEDOUT:
    case -EAGAIN:
        return why_set(why, err, "the agent does not answer");
    case -EPROTO:
        return why_set(why, err,
                       "the agent's answer makes no sense, or it does not answer this user");
    default:
        return why_set(why, err, "the agent cannot be asked: %s", strerror(-err));
    }
}
