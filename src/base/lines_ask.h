/*
 * lines_ask: the other side of lines: one question to a running agent over its Unix socket, by a
 * program that has nothing else to do meanwhile.
 */
#ifndef PAMTUNNEL_BASE_LINES_ASK_H
#define PAMTUNNEL_BASE_LINES_ASK_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/why.h"

enum { LINES_ASK_MS = 3000 };

/*
 * Sends the request ("" for none) and reads one line into answer, without its
 * newline. Takes LINES_ASK_MS at most. 0, or -errno with a sentence in why.
 */
int lines_ask(const struct sockaddr_un *addr, socklen_t addr_len, const char *request, char *answer,
              size_t size, struct why *why);

#endif
