/*
 * approval: waiting until others agree to a session that was asked for, and until its machine, or
 * one that was asked for by itself, is awake.
 */
#ifndef PAMTUNNEL_CTL_APPROVAL_H
#define PAMTUNNEL_CTL_APPROVAL_H

#include <jansson.h>

/*
 * Asks for a session, or to wake a machine; a new reference to the last answer. While it waits, a
 * line on standard error says what for. Whoever ends this process meanwhile withdraws the request.
 */
json_t *approval_ask(const char *socket_path, json_t *request);

#endif
