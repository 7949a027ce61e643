/*
 * hello: what both ends of a control channel say first, and what they agree on by it:
 * the version of the protocol and how often to ask for a sign of life (docs/protocol.md,
 * "HELLO").
 */
#ifndef PAMTUNNEL_CONTROL_HELLO_H
#define PAMTUNNEL_CONTROL_HELLO_H

#include "base/why.h"
#include "control/message.h"

struct hello_terms {
    unsigned version;        /* the highest that both speak */
    unsigned keepalive_secs; /* 1 to 3600 */
};

/*
 * Ours, with the versions that this program speaks. A program's name that is too long is
 * cut. keepalive_secs is 0 on the VPS, which follows the gateway.
 */
struct message hello_make(const char *program, unsigned keepalive_secs);

/*
 * 0 and the terms; -EPROTONOSUPPORT if there is no common version: why says who has to be
 * upgraded; -EPROTO if the gateway's interval is out of bounds.
 */
int hello_agree(const struct message_hello *ours, const struct message_hello *theirs,
                struct hello_terms *ret_terms, struct why *why);

#endif
