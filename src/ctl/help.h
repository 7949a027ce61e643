/* help: what pamctl says about itself. At most 100 columns wide. */
#ifndef PAMTUNNEL_CTL_HELP_H
#define PAMTUNNEL_CTL_HELP_H

#include <stdbool.h>

#include "ctl/commands.h"

/* All commands and options. */
void help_all(void);
/* The commands that begin with this word; false if there are none. */
bool help_group(const char *group);
/* What one command takes. */
void help_command(const struct command *command);

#endif
