/*
 * join: gateway-agent --join: from a join string, or from nothing but the server's name and
 * somebody who lets it in there (join_ask.h), to an env file that is known to work.
 */
#ifndef PAMTUNNEL_GATEWAY_SETUP_JOIN_H
#define PAMTUNNEL_GATEWAY_SETUP_JOIN_H

#include <stdbool.h>

struct join_options {
    /* Of --join, wiped: a join string; "-": one to be read from standard input; or HOST[:PORT]. */
    char *string;
    const char *env_file; /* NULL: GATEWAY_ENV_FILE */
    bool force;           /* write it although the check fails, or the name is taken */
};

/* Talks with the person at the terminal. Returns the exit status: 0, 1 or 2. */
int join_run(const struct join_options *options);

#endif
