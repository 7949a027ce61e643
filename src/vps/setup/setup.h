/*
 * setup: vps-agent --setup and --invite: from nothing to an env file that works, and to
 * the join string that a gateway is set up with. Talks with the person at the terminal; without
 * one it takes everything from options, environment and the env file that there is.
 */
#ifndef PAMTUNNEL_VPS_SETUP_SETUP_H
#define PAMTUNNEL_VPS_SETUP_SETUP_H

#include <stdbool.h>

struct setup_options {
    const char *env_file; /* NULL: VPS_ENV_FILE */
    const char *host;     /* VPS_HOST; NULL: ask */
    const char *user;     /* ALLOWED_USERS; NULL: ask */
    const char *gateway;  /* its name; NULL: ask */
    bool new_key;         /* the gateway gets another key than it has */
    const char *valid;    /* how long its join string waits: "24h"; NULL: that */
};

/* Return the exit status: 0, 1, or 2 for wrong or missing settings. */
int setup_run(const struct setup_options *options);
/* Prints the join string of options->gateway, which gets a key if it has none of its own. */
int setup_invite(const struct setup_options *options);

#endif
