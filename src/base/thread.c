#include "base/thread.h"

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
