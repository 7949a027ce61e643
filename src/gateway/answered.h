/*
 * answered: the targets that accepted a connection a moment ago, by address and port. They
 * need no probe: a server that counts connections on which nobody logs in (sshd with
 * PerSourcePenalties) counts all of them against the gateway, which all users share.
 */
#ifndef PAMTUNNEL_GATEWAY_ANSWERED_H
#define PAMTUNNEL_GATEWAY_ANSWERED_H

#include <stdbool.h>

#include "base/net.h"

enum {
    ANSWERED_MS = 60000, /* for how long that is remembered */
    ANSWERED_MAX = 256,  /* targets; the oldest one makes room */
};

struct answered;

/* NULL when out of memory. */
struct answered *answered_new(void);
/* Accepts NULL. */
void answered_free(struct answered *answered);

/* It accepted a connection just now. */
void answered_note(struct answered *answered, const struct addr *target);
/* It did not. */
void answered_forget(struct answered *answered, const struct addr *target);
/* It did within the last ANSWERED_MS, as far as is known. */
bool answered_lately(const struct answered *answered, const struct addr *target);

#endif
