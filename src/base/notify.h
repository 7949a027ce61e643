/*
 * notify: tells a service manager how the agent is, as sd_notify(3) describes:
 * a datagram with lines NAME=value to the Unix socket that NOTIFY_SOCKET names.
 * All functions but notify_open() accept NULL: then there is nobody to tell.
 *
 * Nothing that goes wrong here is worth more than a line in the log: the manager
 * will do about silence what it was told to.
 */
#ifndef PAMTUNNEL_BASE_NOTIFY_H
#define PAMTUNNEL_BASE_NOTIFY_H

#include <stdbool.h>
#include <uv.h>

#include "base/why.h"

struct notify;

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and connects: call it
 * before entering a sandbox. *ret_notify is NULL if nobody wants to be told.
 * -EINVAL or -errno with a sentence in why.
 */
int notify_open(struct notify **ret_notify, struct why *why);
/*
 * Starts the beats that a watchdog waits for, twice as often as it looks, from the
 * loop: if that hangs, they stop. Each is left out if is_well(arg) says no. 0, even if there is no
 * watchdog, or -ENOMEM.
 */
int notify_beat(struct notify *notify, uv_loop_t *loop, bool (*is_well)(void *arg), void *arg);
/* The agent is at work. */
void notify_ready(const struct notify *notify);
/* It begins to read its settings anew; when it is done, notify_ready() says so. */
void notify_reloading(const struct notify *notify);
/* What it is doing, for people (systemctl status): one line. */
void notify_status(const struct notify *notify, const char *status);
/* It begins to stop. Ends the beats, too, so that the loop can come to its end. */
void notify_stopping(struct notify *notify);
void notify_free(struct notify *notify);

#endif
