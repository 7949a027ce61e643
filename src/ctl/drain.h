/* drain: waiting until vps-agent has no session left, or until that takes too long. */
#ifndef PAMTUNNEL_CTL_DRAIN_H
#define PAMTUNNEL_CTL_DRAIN_H

#include <jansson.h>

/* Blocks SIGINT and SIGTERM, unless they are ignored, until drain_wait() looks for them. */
void drain_hold_signals(void);

/*
 * The answer when no session is left or somebody opens sessions again. If timeout_s (-1:
 * none) is over, or a signal comes, a failure that says what is left behind: "draining",
 * "sessions" (how many) and "left" (the sessions). *ret_signal: the signal, or 0.
 */
json_t *drain_wait(const char *socket_path, int timeout_s, int *ret_signal);

/* Ends the program as the signal would have. */
void drain_end_by(int signal);

#endif
