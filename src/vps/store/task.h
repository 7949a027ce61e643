/* task: something that takes a while over a connection that only reads: what `reader` does. */
#ifndef PAMTUNNEL_VPS_STORE_TASK_H
#define PAMTUNNEL_VPS_STORE_TASK_H

#include <stdatomic.h>

#include "base/list.h"
#include "vps/store/database.h"

/* The beginning of one; what else it has is its kind's. */
struct task {
    struct list home;
    /* In the reader's thread: 0 or -errno. */
    int (*run)(struct task *task, struct database *database);
    /* On the loop, unless it was given up, which it may be meanwhile. */
    void (*tell)(struct task *task);
    void (*free)(struct task *task);
    const void *owner;
    atomic_bool given_up;
    int err; /* what came of it: of opening the file, or of run */
};

#endif
