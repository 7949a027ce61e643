/* join: gateway-agent --join: from a join string to an env file that is known to work. */
#ifndef PAMTUNNEL_GATEWAY_SETUP_JOIN_H
#define PAMTUNNEL_GATEWAY_SETUP_JOIN_H

#include <stdbool.h>

struct join_options {
    char *string;         /* of --join, wiped; "-": to be read from standard input */
    const char *env_file; /* NULL: GATEWAY_ENV_FILE */
    bool force;           /* write it although the check fails, or the name is taken */
};

/* Talks with the person at the terminal. Returns the exit status: 0, 1 or 2. */
int join_run(const struct join_options *options);

#endif
