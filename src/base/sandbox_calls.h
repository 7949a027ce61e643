/* sandbox_calls: the part of the sandbox that is seccomp. */
#ifndef PAMTUNNEL_BASE_SANDBOX_CALLS_H
#define PAMTUNNEL_BASE_SANDBOX_CALLS_H

#include "base/sandbox.h"

/* 0 or -errno. Sets no_new_privs. */
int sandbox_restrict_calls(const struct sandbox_rules *rules);

#endif
