/* verify: the whole chain is looked at, for somebody on the loop. */
#ifndef PAMTUNNEL_VPS_STORE_VERIFY_H
#define PAMTUNNEL_VPS_STORE_VERIFY_H

#include "vps/store/chain.h"

struct task;

/* err is 0 or -errno; the verdict is valid during the call, and only if err is 0. */
typedef void (*verify_done_fn)(void *arg, int err, const struct chain_verdict *verdict);

/* NULL: out of memory. */
struct task *verify_task(const struct chain_anchor *anchor, verify_done_fn done, void *arg);

#endif
