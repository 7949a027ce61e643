/*
 * A real event loop for a test. Nothing sleeps: a wait ends when its condition
 * holds, and fails the test after PATIENCE_MS.
 */
#ifndef PAMTUNNEL_TESTS_ON_LOOP_H
#define PAMTUNNEL_TESTS_ON_LOOP_H

#include <arpa/inet.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/net.h"

enum { PATIENCE_MS = 8000 };

static inline void on_loop_tick(uv_timer_t *tick)
{
    (void)tick;
}

/* A turn comes to its end after `ms` at the latest. */
static inline void loop_turn(uv_loop_t *loop, uint64_t ms)
{
    uv_timer_t tick;
    uv_timer_init(loop, &tick);
    uv_timer_start(&tick, on_loop_tick, ms, 0);
    uv_run(loop, UV_RUN_ONCE);
    uv_timer_stop(&tick);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(loop, UV_RUN_NOWAIT); /* so that the loop lets go of it */
}

#define WAIT_FOR(loop, condition)                                               \
    for (uint64_t since_ = uv_hrtime(); !(condition); loop_turn((loop), 100)) { \
        if ((uv_hrtime() - since_) / 1000000 > PATIENCE_MS) {                   \
            fail_msg("waited in vain for %s", #condition);                      \
        }                                                                       \
    }

/* For what must not happen: lets the loop run that long. */
static inline void loop_run_for(uv_loop_t *loop, uint64_t ms)
{
    for (uint64_t end = uv_hrtime() + ms * 1000000, now; (now = uv_hrtime()) < end;) {
        loop_turn(loop, (end - now) / 1000000 + 1);
    }
}

/* Everything on the loop must have been freed by now. */
static inline void loop_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* A group's set-up where descriptors are counted: the first loop opens some that stay. */
static inline int loop_first(void **state)
{
    uv_loop_t loop;
    (void)state;
    return uv_loop_init(&loop) < 0 || uv_loop_close(&loop) < 0;
}

static inline unsigned open_descriptors(void)
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

/* Where a socket is bound to, on loopback. */
static inline struct addr address_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct addr addr;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(addr_from((struct sockaddr *)&at, &addr), 0);
    return addr;
}

/* Two ends of a TCP connection on loopback, both non-blocking. */
static inline void tcp_pair(int ret_fds[2])
{
    struct addr peer;
    int listener = net_listen("127.0.0.1", 0, 1);
    assert_true(listener >= 0);
    struct addr at = address_of(listener);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret_fds[0], &at.sa, addr_len(&at)), 0);
    assert_int_equal(fcntl(ret_fds[0], F_SETFL, O_NONBLOCK), 0);
    net_tune(ret_fds[0]);
    ret_fds[1] = net_accept(listener, &peer);
    assert_true(ret_fds[1] >= 0);
    close(listener);
}

#endif
