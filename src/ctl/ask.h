/* ask: one question to vps-agent over its admin socket. */
#ifndef PAMTUNNEL_CTL_ASK_H
#define PAMTUNNEL_CTL_ASK_H

#include <jansson.h>

#include "base/why.h"

/*
 * Sends the request and waits for the answer, a new reference. -errno with a
 * sentence that says what to do if the agent cannot be reached.
 */
int ask(const char *socket_path, const json_t *request, json_t **ret_reply, struct why *why);

#endif
