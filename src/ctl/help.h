/* help: what pamctl says about itself. At most 100 columns wide. */
#ifndef PAMTUNNEL_CTL_HELP_H
#define PAMTUNNEL_CTL_HELP_H

#include "ctl/commands.h"

/* All commands and options. */
void help_all(void);
/* What one command takes. */
void help_command(const struct command *command);

#endif
