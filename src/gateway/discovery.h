/*
 * discovery: which machines the gateway's own networks have, for the VPS, if the gateway's settings
 * allow that it is asked: they do not by default, since whoever takes over a VPS would ask first.
 * One at a time, and seldom.
 */
#ifndef PAMTUNNEL_GATEWAY_DISCOVERY_H
#define PAMTUNNEL_GATEWAY_DISCOVERY_H

#include <stdbool.h>
#include <uv.h>

#include "base/sieve.h"
#include "control/message.h"

enum { DISCOVERY_PAUSE_MS = 5000 /* from the end of one to the next */ };

struct discovery;

struct discovery_options {
    uv_loop_t *loop;
    struct sieve *lines;
    const bool *is_on; /* DISCOVER, as it is at the moment */
    void (*send)(void *arg, const struct message *message);
    void *arg;
};

/* NULL when out of memory. */
struct discovery *discovery_new(const struct discovery_options *options);
/* Accepts NULL. */
void discovery_free(struct discovery *discovery);
/* Answers with FOUND: in here where it says no, else later. */
void discovery_ask(struct discovery *discovery, const struct message_discover *command);

#endif
