/*
 * applicant: a gateway without a key asks the VPS to be paired, over a channel that has met it
 * (docs/protocol.md, "Pairing"): what the other side of control/accord does by itself is
 * vps/gateways/applicants. It says the code, and keeps the key.
 */
#ifndef PAMTUNNEL_GATEWAY_APPLICANT_H
#define PAMTUNNEL_GATEWAY_APPLICANT_H

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "control/channel.h"
#include "gateway/credentials.h"

struct applicant;

struct applicant_options {
    const struct log *log;
    struct credentials *credentials; /* without a key; outlive it, and get one */
    const char *where;               /* the VPS, for people */
    /* Called from the loop. There is a code to compare. */
    void (*shown)(void *arg, const char *code);
    /* It comes to nothing: the channel is of no use any more, and the applicant may be freed. */
    void (*failed)(void *arg, const char *why);
    void *arg;
};

/* Begins, over a channel that outlives it. NULL: out of memory, or the channel is broken. */
struct applicant *applicant_new(uv_loop_t *loop, struct channel *channel,
                                const struct applicant_options *options);
/* Accepts NULL. Does not close the channel. */
void applicant_free(struct applicant *applicant);

/* A message of the VPS's; failed() may come from inside. */
void applicant_take(struct applicant *applicant, const struct message *message);
/* It has said a code, which costs whoever is in between a try. Accepts NULL. */
bool applicant_has_shown(const struct applicant *applicant);

#endif
