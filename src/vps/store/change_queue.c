#include "vps/store/change_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* One block for the change and its texts, since it is freed on either thread. */
struct change *change_new(const struct statement *statement, statement_done_fn done, void *arg)
{
    size_t len[STATEMENT_VALUES_MAX] = {0}, sum = 0;
    for (unsigned i = 0; i < STATEMENT_VALUES_MAX; i++) {
        len[i] = statement->values[i].kind == VALUE_TEXT ? strlen(statement->values[i].text) + 1
                                                         : 0;
        sum += len[i];
    }
    struct change *change = malloc(sizeof *change + sum);
    if (!change) {
        return NULL;
    }
    *change = (struct change){.statement = *statement, .done = done, .arg = arg, .size = sum};
    char *at = change->texts;
    for (unsigned i = 0; i < STATEMENT_VALUES_MAX; i++) {
        if (len[i] > 0) {
            change->statement.values[i].text = memcpy(at, statement->values[i].text, len[i]);
            at += len[i];
        }
    }
    return change;
}

void change_queue_init(struct change_queue *queue)
{
    list_init(&queue->changes);
    queue->count = 0;
}

void change_queue_append(struct change_queue *queue, struct change *change)
{
    list_append(&queue->changes, &change->home);
    queue->count++;
}

struct change *change_queue_take(struct change_queue *queue)
{
    struct list *node = list_take(&queue->changes);
    queue->count -= node != NULL;
    return node ? list_owner(node, struct change, home) : NULL;
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
        crypto_wipe(change->texts, change->size);
        free(change);
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
