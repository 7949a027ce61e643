/* Signals on the loop. Each test is a child of its own: some of them end by a signal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "base/signals.h"
#include "base/thread.h"
#include "on_loop.h"

enum { WELL = 42 };

struct ears {
    uv_loop_t loop;
    struct signals *signals;
    unsigned heard;
    int number;
};

static void on_signal(void *arg, int number)
{
    struct ears *ears = arg;
    ears->heard++;
    ears->number = number;
}

static void on_last_signal(void *arg, int number)
{
    struct ears *ears = arg;
    on_signal(arg, number);
    signals_free(ears->signals);
}

static struct ears ears;

static void prick_up(signals_fn fn)
{
    assert_int_equal(uv_loop_init(&ears.loop), 0);
    assert_int_equal(signals_catch(&ears.loop, fn, &ears, &ears.signals), 0);
}

/* How the child ended, as waitpid(2) says. */
static int run(void (*child)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child();
        _exit(WELL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_well(int status)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WELL);
}

static void hear_each(void)
{
    static const int NUMBERS[] = {SIGTERM, SIGINT, SIGHUP};
    prick_up(on_signal);
    for (unsigned i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        raise(NUMBERS[i]);
        WAIT_FOR(&ears.loop, ears.heard == i + 1);
        assert_int_equal(ears.number, NUMBERS[i]);
    }
    signals_free(ears.signals);
    signals_free(NULL);
    loop_end(&ears.loop);
}

static void each_is_told_by_its_number(void **state)
{
    (void)state;
    assert_well(run(hear_each));
}

static void hear_the_last(void)
{
    signal(SIGTERM, SIG_DFL);
    prick_up(on_last_signal);
    raise(SIGTERM);
    uv_run(&ears.loop, UV_RUN_DEFAULT); /* to its end: nothing is caught any more */
    assert_int_equal(ears.heard, 1);
    assert_int_equal(uv_loop_close(&ears.loop), 0);
    raise(SIGHUP); /* ignored */
}

static void they_may_be_freed_by_the_one_who_is_told(void **state)
{
    (void)state;
    assert_well(run(hear_the_last));
}

static void hear_the_last_and_one_more(void)
{
    hear_the_last();
    raise(SIGTERM);
}

static void a_second_one_ends_a_process_that_is_stopping(void **state)
{
    (void)state;
    int status = run(hear_the_last_and_one_more);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

enum { STACK_SIZE = 256 * 1024 };

/* NULL if all are blocked, and the stack is what was asked for; ThreadSanitizer adds to it. */
static void *look_around(void *arg)
{
    sigset_t blocked;
    pthread_attr_t attributes;
    size_t size = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &size);
    pthread_attr_destroy(&attributes);
    bool is_well = size >= STACK_SIZE && size < 8 * STACK_SIZE &&
                   sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1 &&
                   sigismember(&blocked, SIGHUP) == 1;
    return is_well ? NULL : arg;
}

static void other_threads_hear_of_none(void **state)
{
    pthread_t thread;
    sigset_t blocked;
    void *result;
    (void)state;
    assert_int_equal(thread_start(&thread, STACK_SIZE, look_around, &thread), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_int_equal(sigismember(&blocked, SIGTERM), 0); /* here they are as before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_by_its_number),
        cmocka_unit_test(they_may_be_freed_by_the_one_who_is_told),
        cmocka_unit_test(a_second_one_ends_a_process_that_is_stopping),
        cmocka_unit_test(other_threads_hear_of_none),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
