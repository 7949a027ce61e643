/* thread: a thread beside the event loop's. */
#ifndef PAMTUNNEL_BASE_THREAD_H
#define PAMTUNNEL_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts one that no signal interrupts: they are the loop's. stack_size in bytes, 0: the
 * system's usual one. It is the caller's to join. 0 or -errno.
 */
int thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);

#endif
