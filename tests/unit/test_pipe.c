/* Pipes: lent one at a time, never with somebody's bytes in them, and no more than granted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/flow.h"
#include "data/pipe.h"

enum { KIB = 1024, MIB = 1024 * KIB };

/* The kernel as the tests want it. */
static struct {
    int grants;        /* bytes that a pipe may have */
    int makes;         /* bytes that it really gets, 0: as many as granted */
    bool has_no_pipes; /* pipe2() fails */
    unsigned asked;    /* calls of pipe2() */
} kernel;

int __wrap_fcntl(int fd, int command, int argument);
/* Its names in glibc: with large files, and with 64 bits of time on machines of 32. */
int __wrap_fcntl64(int fd, int command, int argument);
int __wrap___fcntl_time64(int fd, int command, int argument);
int __real_pipe2(int ends[2], int flags);
int __wrap_pipe2(int ends[2], int flags);

int __wrap_fcntl(int fd, int command, int argument)
{
    if (command == F_SETPIPE_SZ && argument > kernel.grants) {
        errno = EPERM;
        return -1;
    }
    if (command == F_GETPIPE_SZ && kernel.makes != 0) {
        return kernel.makes;
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

int __wrap_fcntl64(int fd, int command, int argument)
{
    return __wrap_fcntl(fd, command, argument);
}

int __wrap___fcntl_time64(int fd, int command, int argument)
{
    return __wrap_fcntl(fd, command, argument);
}

int __wrap_pipe2(int ends[2], int flags)
{
    kernel.asked++;
    if (kernel.has_no_pipes) {
        errno = EMFILE;
        return -1;
    }
    return __real_pipe2(ends, flags);
}

static int set_up(void **state)
{
    static struct pipe_pool pool;
    struct pipe_limits limits = {.size = MIB, .most = 2};
    kernel.grants = MIB;
    kernel.makes = 0;
    kernel.has_no_pipes = false;
    kernel.asked = 0;
    pipe_pool_init(&pool, &limits);
    *state = &pool;
    return 0;
}

static int tear_down(void **state)
{
    pipe_pool_done(*state);
    return 0;
}

static int size_of(const struct pipe *pipe)
{
    return (int)syscall(SYS_fcntl, pipe->in, F_GETPIPE_SZ, 0);
}

static void fill(struct pipe *pipe)
{
    assert_int_equal(write(pipe->in, "secret", 6), 6);
    pipe->held = 6;
}

static void a_pool_makes_no_pipe_before_one_is_needed(void **state)
{
    struct pipe_pool *pool = *state;
    assert_int_equal(kernel.asked, 0);
    struct pipe *pipe = pipe_get(pool);
    assert_non_null(pipe);
    assert_int_equal(size_of(pipe), MIB);
    pipe_put(pipe);
    assert_int_equal(kernel.asked, 1);
}

static void when_all_are_lent_there_is_none_and_nobody_waits(void **state)
{
    struct pipe_pool *pool = *state;
    struct pipe *first = pipe_get(pool), *second = pipe_get(pool);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(pipe_get(pool));
    pipe_put(second);
    pipe_put(first);
    assert_ptr_equal(pipe_get(pool), first); /* the warm one */
    assert_ptr_equal(pipe_get(pool), second);
    pipe_put(first);
    pipe_put(second);
    assert_int_equal(kernel.asked, 2);
}

static void a_pipe_that_holds_bytes_is_never_lent_again(void **state)
{
    struct pipe_pool *pool = *state;
    for (int round = 0; round < 5; round++) {
        struct pipe *pipe = pipe_get(pool);
        char byte;
        assert_non_null(pipe);
        assert_int_equal(read(pipe->out, &byte, 1), -1);
        assert_int_equal(errno, EAGAIN);
        fill(pipe);
        pipe_put(pipe);
    }
    assert_int_equal(kernel.asked, 5);
    pipe_put(NULL);
}

static void a_pipe_is_as_large_as_the_kernel_grants(void **state)
{
    struct pipe_pool *pool = *state;
    kernel.grants = 300 * KIB;
    struct pipe *pipe = pipe_get(pool);
    assert_non_null(pipe);
    assert_int_equal(size_of(pipe), 256 * KIB);
    pipe_put(pipe);
}

static void tiny_pipes_are_refused_and_the_kernel_is_left_in_peace_for_a_while(void **state)
{
    struct pipe_pool *pool = *state;
    kernel.grants = 8 * KIB; /* as for a user who has too many */
    assert_null(pipe_get(pool));
    assert_null(pipe_get(pool));
    assert_int_equal(kernel.asked, 1);
    kernel.grants = MIB;
    struct pipe *pipe = NULL;
    for (int i = 0; i < 1000 * 1000 && !pipe; i++) {
        pipe = pipe_get(pool);
    }
    assert_non_null(pipe); /* it was not given up for ever */
    assert_int_equal(kernel.asked, 2);
    pipe_put(pipe);
}

static void a_pipe_that_is_smaller_than_it_was_said_to_be_is_refused(void **state)
{
    struct pipe_pool *pool = *state;
    kernel.makes = 4 * KIB;
    assert_null(pipe_get(pool));
}

static void without_descriptors_there_is_none(void **state)
{
    struct pipe_pool *pool = *state;
    kernel.has_no_pipes = true;
    assert_null(pipe_get(pool));
}

static void pools_together_stay_far_below_what_a_user_may_have(void **state)
{
    (void)state;
    for (unsigned pools = 1; pools <= 64; pools++) {
        struct pipe_limits limits = pipe_limits_for(pools);
        assert_true(limits.size >= 64 * KIB && limits.size <= MIB);
        assert_true(limits.size * limits.most * pools <= 16384UL * 4096 / 4);
        assert_true(pools > 8 || limits.most >= 8);
        assert_true(limits.most >= 1);
    }
}

/* --- a flow and its pipe --- */

enum { STEP = 100 };

struct course {
    struct flow_kit kit;
    struct side from, to;
    struct flow flow;
    int in, out; /* the test's ends */
    uint8_t buffer[4 * STEP];
};

static void begin(struct course *course)
{
    struct pipe_limits limits = {.size = 64 * KIB, .most = 1};
    int in[2], out[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out), 0);
    course->in = in[0];
    course->out = out[1];
    course->from = (struct side){.fd = in[1]};
    course->to = (struct side){.fd = out[0]};
    course->kit = (struct flow_kit){
        .bulk_step = STEP, .buffer = course->buffer, .size = sizeof course->buffer};
    pipe_pool_init(&course->kit.pipes, &limits);
    flow_init(&course->flow, &course->from, &course->to);
}

static void finish(struct course *course)
{
    flow_done(&course->flow);
    pipe_pool_done(&course->kit.pipes);
    close(course->in);
    close(course->from.fd);
    close(course->to.fd);
    close(course->out);
}

static void carry(struct course *course, size_t len)
{
    uint8_t bytes[2 * STEP] = {0};
    assert_int_equal(send(course->in, bytes, len, 0), len);
    course->from.readable = course->to.writable = true;
    assert_int_equal(flow_run(&course->flow, &course->kit), FLOW_WAITS);
    assert_int_equal(recv(course->out, bytes, sizeof bytes, 0), len);
    assert_null(course->flow.pipe); /* nothing in it: it is back */
}

static void two_large_steps_make_a_flow_splice_and_many_small_ones_make_it_copy(void **state)
{
    (void)state;
    struct course course;
    begin(&course);
    carry(&course, STEP);
    carry(&course, STEP - 1); /* it was chance */
    carry(&course, STEP);
    assert_false(course.flow.bulk);
    assert_int_equal(kernel.asked, 0);
    carry(&course, STEP);
    assert_true(course.flow.bulk);
    for (int i = 0; i < 20; i++) {
        carry(&course, 1); /* a few acknowledgements of a protocol do not end it */
    }
    carry(&course, STEP);
    assert_true(course.flow.bulk);
    assert_int_equal(kernel.asked, 1);
    for (int i = 0; i < 100; i++) {
        carry(&course, 1);
    }
    assert_false(course.flow.bulk);
    finish(&course);
}

static void a_flow_keeps_its_pipe_as_long_as_its_reader_is_slow(void **state)
{
    (void)state;
    struct course course;
    begin(&course);
    carry(&course, STEP);
    carry(&course, STEP);
    /* More than the way out takes at once. */
    static uint8_t many[MIB];
    int least = 1;
    setsockopt(course.to.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    size_t total = 0, got = 0;
    for (int round = 0; round < 100 && !course.flow.pipe; round++) {
        ssize_t sent = send(course.in, many, 10 * KIB, 0);
        total += sent > 0 ? (size_t)sent : 0;
        course.from.readable = true;
        assert_true(flow_run(&course.flow, &course.kit) >= 0);
    }
    assert_non_null(course.flow.pipe);
    assert_true(course.flow.pipe->held > 0);
    assert_null(pipe_get(&course.kit.pipes)); /* the only one */
    while (got < total) {
        ssize_t some = recv(course.out, many, sizeof many, 0);
        assert_true(some > 0);
        got += (size_t)some;
        course.to.writable = true;
        assert_true(flow_run(&course.flow, &course.kit) >= 0);
    }
    assert_null(course.flow.pipe);
    assert_non_null(course.kit.pipes.idle);
    finish(&course);
}

static void a_fin_comes_after_what_is_in_the_pipe(void **state)
{
    (void)state;
    struct course course;
    begin(&course);
    carry(&course, STEP);
    carry(&course, STEP);
    course.flow.pipe = pipe_get(&course.kit.pipes);
    fill(course.flow.pipe);
    shutdown(course.in, SHUT_WR);
    course.from.readable = true;
    course.to.writable = false;
    assert_int_equal(flow_run(&course.flow, &course.kit), FLOW_WAITS);
    assert_int_equal(course.flow.state, FLOW_OPEN);
    course.to.writable = true;
    assert_int_equal(flow_run(&course.flow, &course.kit), FLOW_WAITS);
    assert_int_equal(course.flow.state, FLOW_DONE);
    char bytes[7];
    assert_int_equal(recv(course.out, bytes, sizeof bytes, 0), 6);
    assert_memory_equal(bytes, "secret", 6);
    assert_int_equal(recv(course.out, bytes, sizeof bytes, 0), 0);
    finish(&course);
}

#define PIPE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPE_TEST(a_pool_makes_no_pipe_before_one_is_needed),
        PIPE_TEST(when_all_are_lent_there_is_none_and_nobody_waits),
        PIPE_TEST(a_pipe_that_holds_bytes_is_never_lent_again),
        PIPE_TEST(a_pipe_is_as_large_as_the_kernel_grants),
        PIPE_TEST(tiny_pipes_are_refused_and_the_kernel_is_left_in_peace_for_a_while),
        PIPE_TEST(a_pipe_that_is_smaller_than_it_was_said_to_be_is_refused),
        PIPE_TEST(without_descriptors_there_is_none),
        PIPE_TEST(pools_together_stay_far_below_what_a_user_may_have),
        PIPE_TEST(two_large_steps_make_a_flow_splice_and_many_small_ones_make_it_copy),
        PIPE_TEST(a_flow_keeps_its_pipe_as_long_as_its_reader_is_slow),
        PIPE_TEST(a_fin_comes_after_what_is_in_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
