/*
 * What somebody sends to METRICS_LISTEN: it is answered once, with a whole HTTP response, and hung
 * up on; or hung up on without a word, if that was no HTTP.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 40, IDLE_TURNS = 3, ANSWER_MAX = 16384 };

static struct watched {
    uv_loop_t loop;
    struct monitor *monitor;
    struct sockaddr_un at;
} watched;

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void measure(void *arg, struct metrics *metrics)
{
    (void)arg;
    metrics_one(metrics, METRICS_GAUGE, "x_things", "Things.", 7);
}

static void complain(void *arg, struct text *text)
{
    (void)arg;
    text_add(text, "something is wrong\n");
}

static void leave(void)
{
    unlink(watched.at.sun_path);
}

static void start(void)
{
    const struct log log = log_to_stderr(LOG_ERROR);
    const struct monitor_subject subject = {"x-agent", measure, complain, NULL};
    watched.at.sun_family = AF_UNIX;
    snprintf(watched.at.sun_path, sizeof watched.at.sun_path, "/tmp/pamtunnel-fuzz-%d.sock",
             (int)getpid());
    struct monitor_place place = monitor_open(watched.at.sun_path, &log);
    require(place.socket >= 0 && uv_loop_init(&watched.loop) == 0);
    atexit(leave);
    watched.monitor = monitor_new(&watched.loop, &place, &subject);
    require(watched.monitor != NULL);
}

/* Until the other side has hung up, or nothing more comes. Returns how much there is. */
static size_t hear(int fd, char answer[ANSWER_MAX])
{
    size_t have = 0;
    for (int turn = 0, idle = 0; turn < TURNS && idle < IDLE_TURNS; turn++) {
        uv_run(&watched.loop, UV_RUN_NOWAIT);
        ssize_t len = recv(fd, answer + have, ANSWER_MAX - 1 - have, MSG_DONTWAIT);
        if (len == 0) {
            break;
        }
        have += len > 0 ? (size_t)len : 0;
        idle = len > 0 ? 0 : idle + 1;
    }
    answer[have] = '\0';
    return have;
}

static void check(const char *answer, size_t have)
{
    const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
    require(strncmp(answer, "HTTP/1.1 ", 9) == 0 && body && length && length < body);
    require(strtoul(length + strlen("Content-Length: "), NULL, 10) ==
            have - (size_t)(body + 4 - answer));
    require(answer[have - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[ANSWER_MAX];
    if (!watched.monitor) {
        start();
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&watched.at, sizeof watched.at) == 0);
    send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t have = hear(fd, answer);
    if (have > 0) {
        check(answer, have);
    }
    close(fd);
    uv_run(&watched.loop, UV_RUN_NOWAIT);
    return 0;
}
