/*
 * signals: those that people and service managers send to an agent, told on its loop:
 * SIGTERM and SIGINT to stop it, SIGHUP to have it read its settings again.
 */
#ifndef PAMTUNNEL_BASE_SIGNALS_H
#define PAMTUNNEL_BASE_SIGNALS_H

#include <uv.h>

struct signals;
/* The number is SIGTERM, SIGINT or SIGHUP. The signals may be freed in here. */
typedef void (*signals_fn)(void *arg, int number);

/*
 * Catches them from now on, in place of what they did before. The loop runs as long as they are
 * caught. One at a time in a process. 0 or -errno.
 */
int signals_catch(uv_loop_t *loop, signals_fn fn, void *arg, struct signals **ret_signals);
/*
 * For the time that it takes to stop: a second SIGTERM or SIGINT ends the process at once, and
 * SIGHUP does nothing any more. Accepts NULL.
 */
void signals_free(struct signals *signals);

#endif
