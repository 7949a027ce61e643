#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"
#include "base/timer.h"

enum { TURN_MS = 1 };

/* ---- the clock ------------------------------------------------------------ */

/* The test's thread alone hurries; those of the relay keep the real time. */
static _Thread_local unsigned factor = 1;
static _Thread_local uint64_t since_ms, shown_ms;

uint64_t stage_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t __wrap_clock_ms(void);
void __real_timer_set(struct timer *timer, uint64_t ms);
void __wrap_timer_set(struct timer *timer, uint64_t ms);

uint64_t __wrap_clock_ms(void)
{
    return shown_ms + (stage_ms() - since_ms) * factor;
}

void __wrap_timer_set(struct timer *timer, uint64_t ms)
{
    __real_timer_set(timer, factor > 0 ? (ms + factor - 1) / factor : ms);
}

void stage_hurry(unsigned faster)
{
    shown_ms = __wrap_clock_ms();
    since_ms = stage_ms();
    factor = faster;
}

/* ---- the loop ------------------------------------------------------------- */

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

void stage_open(struct stage *stage)
{
    signal(SIGPIPE, SIG_IGN);
    stage_hurry(1);
    /* The first loop opens what libuv keeps for the whole process. */
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    stage->descriptors = count_descriptors();
    assert_int_equal(uv_loop_init(&stage->loop), 0);
}

void stage_close(struct stage *stage)
{
    uint64_t end = stage_ms() + STAGE_PATIENCE_MS;
    while (uv_loop_alive(&stage->loop)) {
        assert_true(stage_ms() < end);
        stage_turn(stage);
    }
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    assert_int_equal(count_descriptors(), stage->descriptors);
}

void stage_turn(struct stage *stage)
{
    uv_run(&stage->loop, UV_RUN_NOWAIT);
    struct pollfd waits = {.fd = uv_backend_fd(&stage->loop), .events = POLLIN};
    poll(&waits, 1, TURN_MS);
}

bool stage_is_quiet(struct stage *stage, int ms)
{
    for (int i = 0; i < 20; i++) {
        stage_turn(stage);
    }
    struct pollfd waits = {.fd = uv_backend_fd(&stage->loop), .events = POLLIN};
    return poll(&waits, 1, ms) == 0;
}

/* ---- clients -------------------------------------------------------------- */

int stage_listen(uint16_t *ret_port)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = net_listen("127.0.0.1", 0, 128);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int dial(const char *from, uint16_t port)
{
    struct addr here, there;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(addr_parse(from, 0, &here), 0);
    assert_int_equal(addr_parse("127.0.0.1", port, &there), 0);
    assert_int_equal(bind(fd, &here.sa, addr_len(&here)), 0);
    if (connect(fd, &there.sa, addr_len(&there)) < 0) {
        close(fd);
        return -errno;
    }
    net_tune(fd);
    return fd;
}

int client_connect(const char *from, uint16_t port)
{
    int fd = dial(from, port);
    assert_true(fd >= 0);
    return fd;
}

void client_say(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT), len);
}

size_t client_hear(int fd, void *buffer, size_t size)
{
    ssize_t got = recv(fd, buffer, size, MSG_DONTWAIT);
    return got > 0 ? (size_t)got : 0;
}

bool client_was_sent_off(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

bool port_is_closed(uint16_t port)
{
    int fd = dial("127.0.0.1", port);
    if (fd >= 0) {
        close(fd);
    }
    return fd == -ECONNREFUSED;
}
