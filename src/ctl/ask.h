/* ask: one question to vps-agent over its admin socket. */
#ifndef PAMTUNNEL_CTL_ASK_H
#define PAMTUNNEL_CTL_ASK_H

#include <jansson.h>
#include <stddef.h>

#include "base/why.h"

/*
 * Where the socket is: what was given (may be NULL), else in STATE_DIR from the environment or
 * vps-agent's settings file, else in the usual place.
 */
void ask_path(const char *given, char *dst, size_t cap);

/*
 * Sends the request and waits for the answer, a new reference. -errno with a
 * sentence that says what to do if the agent cannot be reached.
 */
int ask(const char *socket_path, const json_t *request, json_t **ret_reply, struct why *why);

/* The same in two steps: the descriptor on which the answer comes, and the answer. */
int ask_send(const char *socket_path, const json_t *request, struct why *why);
/* 0 with a new reference, or -EIO with why. Closes fd in any case. */
int ask_receive(int fd, json_t **ret_reply, struct why *why);
/* The same, but fd stays open; another question on it, alone and with its answer. */
int ask_hear(int fd, json_t **ret_reply, struct why *why);
int ask_send_on(int fd, const json_t *request, struct why *why);
int ask_more(int fd, const json_t *request, json_t **ret_reply, struct why *why);

/*
 * The same, but what went wrong is an answer too: {"ok":false,"error":"unreachable",...}.
 * NULL only when out of memory.
 */
json_t *ask_anyhow(const char *socket_path, const json_t *request);
/* {"ok":false,"error":WORD,"message":SENTENCE}, a new reference: what pamctl itself has to say. */
json_t *ask_failure(const char *word, const char *sentence);

#endif
