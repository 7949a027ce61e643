/* thread: a thread beside the event loop's. */
#ifndef PAMTUNNEL_BASE_THREAD_H
#define PAMTUNNEL_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * Starts one that no signal interrupts: they are the loop's. stack_size in bytes, 0: the
 * system's usual one. It is the caller's to join. 0 or -errno.
 */
int thread_start(pthread_t *ret_thread, size_t stack_size, void *(*fn)(void *), void *arg);

/* A condition whose waits are by the monotonic clock. */
void thread_condition_init(pthread_cond_t *condition);
struct timespec thread_time_in(uint64_t ms);
/* With the mutex. True when it is that late; false when there may be something to do. */
bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex,
                       const struct timespec *at);

#endif
