#include "base/thread.h"

#include <errno.h>
#include <signal.h>

int thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack_size > 0) {
        pthread_attr_setstacksize(&attributes, stack_size);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* which a new thread inherits */
    int err = pthread_create(ret_thread, &attributes, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -err;
}

void thread_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec thread_time_in(uint64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += (time_t)(ms / 1000) + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *at)
{
    return pthread_cond_timedwait(condition, mutex, at) == ETIMEDOUT;
}
