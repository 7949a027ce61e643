/*
 * reachable: the targets that took a connection a moment ago, by address and port. They
 * need no probe: a server that counts connections on which nobody logs in (sshd with
 * PerSourcePenalties) counts all of them against the gateway, whom all users share.
 */
#ifndef PAMTUNNEL_GATEWAY_REACHABLE_H
#define PAMTUNNEL_GATEWAY_REACHABLE_H

#include <stdbool.h>

#include "base/net.h"

enum {
    REACHABLE_MS = 60000, /* for how long that is remembered */
    REACHABLE_MAX = 256,  /* targets; the oldest one makes room */
};

struct reachable;

/* NULL when out of memory. */
struct reachable *reachable_new(void);
/* Accepts NULL. */
void reachable_free(struct reachable *reachable);

/* It took a connection just now. */
void reachable_note(struct reachable *reachable, const struct addr *target);
/* It did not. */
void reachable_forget(struct reachable *reachable, const struct addr *target);
/* It did within the last REACHABLE_MS, as far as is known. */
bool reachable_lately(const struct reachable *reachable, const struct addr *target);

#endif
