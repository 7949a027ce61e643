/*
 * trial: whether a data channel that was kept in reserve still leads somewhere. A
 * path can die without a word (the gateway's address changed, a NAT forgot it), and
 * a client that is joined with such a channel looks at nothing for two minutes. So
 * its first bytes go out from here, and the pair goes to the relay as soon as they
 * are acknowledged or the other side says anything, be it a FIN or an RST: one round
 * trip, in which most clients wait for the target's first word anyway.
 */
#ifndef PAMTUNNEL_VPS_SESSION_TRIAL_H
#define PAMTUNNEL_VPS_SESSION_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* The kernel has repeated the bytes some four times by then. */
enum { TRIAL_MS = 4000 };

struct trial;
/* Called once, from the loop; the trial is to be freed then, or in here. */
typedef void (*trial_fn)(void *arg, bool alive);

/* Sends the bytes through data, which stays the caller's. NULL when out of memory. */
struct trial *trial_new(uv_loop_t *loop, int data, const void *bytes, size_t len, trial_fn fn,
                        void *arg);
/* Accepts NULL. */
void trial_free(struct trial *trial);

#endif
