#include "vps/store/query.h"

#include <errno.h>
#include <stdlib.h>

#include "vps/store/task.h"

struct copy {
    struct list home;
    struct row row;
    struct value values[]; /* and behind them their data */
};

struct asking {
    struct task task; /* first */
    struct query query;
    void *arg;
    struct list copies;
    unsigned rows;
    size_t bytes;
    bool more;
    char data[]; /* the query's */
};

/* ---- in the reader's thread -------------------------------------------------- */

static struct copy *copy_row(const struct row *row, size_t *ret_size)
{
    size_t values_at = row->count * sizeof *row->values;
    size_t size = sizeof(struct copy) + values_at + values_size(row->values, row->count);
    struct copy *copy = malloc(size);
    if (!copy) {
        return NULL;
    }
    copy->row = (struct row){.count = row->count, .values = copy->values};
    for (size_t i = 0; i < row->count; i++) {
        copy->values[i] = row->values[i];
    }
    values_copy(copy->values, row->count, (char *)copy->values + values_at);
    *ret_size = size;
    return copy;
}

/* False when the page is full, or the memory. */
static bool take_row(void *arg, const struct row *row)
{
    struct asking *asking = arg;
    size_t size = 0;
    asking->more = asking->rows == asking->query.rows || asking->bytes > QUERY_BYTES_MAX;
    struct copy *copy = asking->more ? NULL : copy_row(row, &size);
    if (!copy) {
        asking->task.err = asking->more ? 0 : -ENOMEM;
        return false;
    }
    list_append(&asking->copies, &copy->home);
    asking->rows++;
    asking->bytes += size;
    return true;
}

static int run(struct task *task, struct database *database)
{
    struct asking *asking = (struct asking *)task;
    int err = database_each(database, &asking->query.statement, take_row, asking);
    return err < 0 ? err : task->err;
}

/* ---- on the loop -------------------------------------------------------------- */

static void tell(struct task *task)
{
    struct asking *asking = (struct asking *)task;
    if (task->err == 0) {
        list_each (struct copy, copy, &asking->copies, home) {
            if (!task->given_up) {
                asking->query.row(asking->arg, &copy->row);
            }
        }
    }
    if (!task->given_up) {
        asking->query.done(asking->arg, task->err, asking->more);
    }
}

static void free_task(struct task *task)
{
    struct asking *asking = (struct asking *)task;
    list_each (struct copy, copy, &asking->copies, home) {
        free(copy);
    }
    free(asking);
}

struct task *query_task(const struct query *query, void *arg)
{
    size_t size = values_size(query->statement.values, STATEMENT_VALUES_MAX);
    struct asking *asking = calloc(1, sizeof *asking + size);
    if (!asking) {
        return NULL;
    }
    asking->task.run = run;
    asking->task.tell = tell;
    asking->task.free = free_task;
    asking->task.owner = asking->arg = arg;
    asking->query = *query;
    if (query->rows == 0 || query->rows > QUERY_ROWS_MAX) {
        asking->query.rows = QUERY_ROWS_MAX;
    }
    list_init(&asking->copies);
    values_copy(asking->query.statement.values, STATEMENT_VALUES_MAX, asking->data);
    return &asking->task;
}
