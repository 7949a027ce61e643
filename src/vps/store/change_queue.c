#include "vps/store/change_queue.h"

#include <stdlib.h>

#include "base/crypto.h"

/* One block for the change and its values, since it is freed on either thread. */
struct change *change_new(enum change_kind kind, const struct statement *statement,
                          statement_done_fn done, void *arg)
{
    size_t size = values_size(statement->values, STATEMENT_VALUES_MAX);
    struct change *change = malloc(sizeof *change + size);
    if (!change) {
        return NULL;
    }
    *change = (struct change){
        .kind = kind, .statement = *statement, .done = done, .arg = arg, .size = size};
    values_copy(change->statement.values, STATEMENT_VALUES_MAX, change->data);
    return change;
}

void change_free(struct change *change)
{
    crypto_wipe(change->data, change->size);
    free(change);
}

void change_queue_init(struct change_queue *queue)
{
    list_init(&queue->changes);
    queue->plain = queue->chained = 0;
}

bool change_queue_is_empty(const struct change_queue *queue)
{
    return list_is_empty(&queue->changes);
}

static void count(struct change_queue *queue, const struct change *change, int by)
{
    *(change->kind == CHANGE_PLAIN ? &queue->plain : &queue->chained) += (unsigned)by;
}

void change_queue_append(struct change_queue *queue, struct change *change)
{
    list_append(&queue->changes, &change->home);
    count(queue, change, 1);
}

static struct change *take(struct change_queue *queue, struct change *change)
{
    list_remove(&change->home);
    count(queue, change, -1);
    return change;
}

struct change *change_queue_take(struct change_queue *queue)
{
    return change_queue_is_empty(queue)
               ? NULL
               : take(queue, list_owner(queue->changes.next, struct change, home));
}

struct change *change_queue_take_plain(struct change_queue *queue)
{
    list_each (struct change, change, &queue->changes, home) {
        if (change->kind == CHANGE_PLAIN) {
            return take(queue, change);
        }
    }
    return NULL;
}

void change_queue_move(struct change_queue *to, struct change_queue *from)
{
    struct change *change;
    while ((change = change_queue_take(from))) {
        change_queue_append(to, change);
    }
}

void change_queue_clear(struct change_queue *queue)
{
    struct change *change;
    while ((change = change_queue_take(queue))) {
        change_free(change);
    }
}

void change_queue_detach(struct change_queue *queue, const void *arg)
{
    list_each (struct change, change, &queue->changes, home) {
        if (change->arg == arg) {
            change->done = NULL;
        }
    }
}

struct change *change_queue_find_untold(struct change_queue *queue)
{
    list_each (struct change, change, &queue->changes, home) {
        if (change->tried && change->done) {
            return change;
        }
    }
    return NULL;
}
