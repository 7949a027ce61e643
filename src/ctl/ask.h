/* ask: one question to vps-agent over its admin socket. */
#ifndef PAMTUNNEL_CTL_ASK_H
#define PAMTUNNEL_CTL_ASK_H

#include <jansson.h>
#include <stddef.h>

#include "base/why.h"

/*
 * Where the socket is: what was given, else in STATE_DIR, which stands in the environment or
 * in vps-agent's settings file; else in the usual place.
 */
void ask_path(const char *given, char *dst, size_t cap);

/*
 * Sends the request and waits for the answer, a new reference. -errno with a
 * sentence that says what to do if the agent cannot be reached.
 */
int ask(const char *socket_path, const json_t *request, json_t **ret_reply, struct why *why);

/* The same in two steps: the descriptor on which the answer comes, and the answer. */
int ask_send(const char *socket_path, const json_t *request, struct why *why);
/* Closes fd. */
int ask_receive(int fd, json_t **ret_reply, struct why *why);

/*
 * The same, but what went wrong is an answer too: {"ok":false,"error":"unreachable",...}.
 * NULL only when out of memory.
 */
json_t *ask_anyhow(const char *socket_path, const json_t *request);
/* {"ok":false,"error":WORD,"message":SENTENCE}: what pamctl says itself. */
json_t *ask_failure(const char *word, const char *sentence);

#endif
