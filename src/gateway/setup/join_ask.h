/*
 * join_ask: gateway-agent --join HOST: asks the VPS there to pair this gateway, with the person at
 * the terminal as a witness. What comes of it is what a join string would have said.
 *
 * A gateway that asks by itself has nobody to tell it that the VPS which lets it in is the right
 * one (docs/protocol.md, "Pairing"). Here somebody does: the key is kept only if they say that it
 * was they who let it in, and so both sides are proven.
 */
#ifndef PAMTUNNEL_GATEWAY_SETUP_JOIN_ASK_H
#define PAMTUNNEL_GATEWAY_SETUP_JOIN_ASK_H

#include "base/proxy.h"
#include "base/why.h"
#include "shared/invite.h"

/*
 * In: host, port and the gateway's name; and the proxy on the way there, if it has a host. Shows
 * the code, waits for ten minutes, asks. 0 with the key, which both sides have kept then; or
 * -errno with a sentence in why.
 */
int join_ask(struct invite *invite, const struct proxy *proxy, struct why *why);

#endif
