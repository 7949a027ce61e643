/* probe: one question to a running agent over a Unix socket, for --health. */
#ifndef PAMTUNNEL_BASE_PROBE_H
#define PAMTUNNEL_BASE_PROBE_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/why.h"

enum { PROBE_MS = 3000 };

/*
 * Sends the request ("" for none) and reads one line into answer, without its
 * newline. Takes PROBE_MS at most. 0, or -errno with a sentence in why.
 */
int probe(const struct sockaddr_un *addr, socklen_t addr_len, const char *request, char *answer,
          size_t size, struct why *why);

#endif
