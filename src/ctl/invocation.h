/* invocation: what somebody typed after "pamctl", checked against the table of commands. */
#ifndef PAMTUNNEL_CTL_INVOCATION_H
#define PAMTUNNEL_CTL_INVOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "ctl/commands.h"

struct invocation {
    const struct command *command; /* NULL: only --help or --version was given */
    const char *group;             /* the first word of commands, and no command; or NULL */
    const char *args[ARGS_MAX];
    int count;        /* of them */
    unsigned options; /* enum option_bit */
    const char *out;
    const char *socket_path;
    const char *user, *target, *gateway, *since, *until;
    const char *why;
    int timeout_s;   /* with OPTION_TIMEOUT */
    int64_t valid_s; /* with OPTION_VALID */
};

/*
 * Options may be anywhere; "--" ends them. 0, or -EINVAL with a line in why that says what is wrong
 * and, if something known is near, what may have been meant. The invocation points into argv.
 */
int invocation_parse(int argc, char **argv, struct invocation *ret_invocation, struct why *why);
/* --json is among the options, whether or not the rest makes sense. */
bool invocation_wants_json(int argc, char **argv);

#endif
