/* multipath: whether this system can do what MULTIPATH=on asks for, in a person's words. */
#ifndef PAMTUNNEL_SHARED_MULTIPATH_H
#define PAMTUNNEL_SHARED_MULTIPATH_H

#include "base/why.h"

/* 0; or the -errno of socket(2), and "this system has no MPTCP (...): ..." with what to do. */
int multipath_check(struct why *why);

#endif
