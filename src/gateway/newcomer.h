/*
 * newcomer: a gateway without a key asks the VPS to be paired, over a channel that has met it
 * (docs/protocol.md, "Pairing"): what the other side of control/introduction does by itself is
 * vps/gateways/introductions. It says the code, and keeps the key.
 */
#ifndef PAMTUNNEL_GATEWAY_NEWCOMER_H
#define PAMTUNNEL_GATEWAY_NEWCOMER_H

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "control/channel.h"
#include "gateway/credentials.h"

struct newcomer;

struct newcomer_options {
    const struct log *log;
    struct credentials *credentials; /* without a key; outlive it, and get one */
    const char *where;               /* the VPS, for people */
    /* Called from the loop. There is a code to compare. */
    void (*shown)(void *arg, const char *code);
    /* It comes to nothing, and the channel is of no use any more. The newcomer may be freed now. */
    void (*failed)(void *arg, const char *why);
    void *arg;
};

/* Begins, over a channel that outlives it. NULL: out of memory, or the channel is broken. */
struct newcomer *newcomer_new(uv_loop_t *loop, struct channel *channel,
                              const struct newcomer_options *options);
/* Accepts NULL. Does not close the channel. */
void newcomer_free(struct newcomer *newcomer);

/* A message of the VPS's; failed() may come from inside. */
void newcomer_take(struct newcomer *newcomer, const struct message *message);
/* It has said a code, which costs whoever is in between a try. Accepts NULL. */
bool newcomer_has_shown(const struct newcomer *newcomer);

#endif
