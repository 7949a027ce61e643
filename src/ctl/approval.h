/* approval: waiting until others agree to a session that was asked for. */
#ifndef PAMTUNNEL_CTL_APPROVAL_H
#define PAMTUNNEL_CTL_APPROVAL_H

#include <jansson.h>

/*
 * Asks for a session; a new reference to the last answer. While it waits for others, a line on
 * standard error says what for. Whoever ends this process meanwhile withdraws the request.
 */
json_t *approval_ask(const char *socket_path, json_t *request);

#endif
