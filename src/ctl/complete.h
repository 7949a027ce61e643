/* complete: how a command line of pamctl may go on, for shells (base/completion). */
#ifndef PAMTUNNEL_CTL_COMPLETE_H
#define PAMTUNNEL_CTL_COMPLETE_H

#include "base/completion.h"

/* IDs and addresses are asked of vps-agent, if it answers soon; nothing is said of what fails. */
void complete(const struct completion *completion);

#endif
