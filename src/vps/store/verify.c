#include "vps/store/verify.h"

#include <stdlib.h>

#include "vps/store/task.h"

struct verification {
    struct task task; /* first */
    struct chain_anchor anchor;
    struct chain_verdict verdict;
    verify_done_fn done;
    void *arg;
};

static int run(struct task *task, struct database *database)
{
    struct verification *verification = (struct verification *)task;
    int err = database_begin_reading(database);
    err = err < 0 ? err : chain_verify(database, &verification->anchor, &verification->verdict);
    database_rollback(database);
    return err;
}

static void tell(struct task *task)
{
    struct verification *verification = (struct verification *)task;
    verification->done(verification->arg, task->err, &verification->verdict);
}

static void free_task(struct task *task)
{
    free(task);
}

struct task *verify_task(const struct chain_anchor *anchor, verify_done_fn done, void *arg)
{
    struct verification *verification = calloc(1, sizeof *verification);
    if (!verification) {
        return NULL;
    }
    verification->task.run = run;
    verification->task.tell = tell;
    verification->task.free = free_task;
    verification->task.owner = verification->arg = arg;
    verification->anchor = *anchor;
    verification->done = done;
    return &verification->task;
}
