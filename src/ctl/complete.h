/* complete: how a command line of pamctl may go on, for shells (base/completion). */
#ifndef PAMTUNNEL_CTL_COMPLETE_H
#define PAMTUNNEL_CTL_COMPLETE_H

#include "base/completion.h"

/* Prints to stdout. Asks vps-agent for IDs and addresses, for a second at most; fails silently. */
void complete(const struct completion *completion);

#endif
