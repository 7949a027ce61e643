/*
 * change_queue: changes on their way to the file, in the order in which they were handed in. A
 * change belongs to the queue that it is in, and to whoever took it out.
 */
#ifndef PAMTUNNEL_VPS_STORE_CHANGE_QUEUE_H
#define PAMTUNNEL_VPS_STORE_CHANGE_QUEUE_H

#include <stdbool.h>

#include "base/list.h"
#include "vps/store/statement.h"

enum change_kind {
    CHANGE_PLAIN,
    /* The chain's, which are never dropped: */
    CHANGE_ROW, /* a statement of chain_statement() */
    CHANGE_CUT, /* without SQL; the value is chain_cut()'s before_ms */
};

struct change {
    struct list home; /* in a queue */
    enum change_kind kind;
    struct statement statement;
    statement_done_fn done; /* NULL: nobody is to be told, or was told already */
    void *arg;
    uint64_t added_us; /* by clock_us() */
    bool tried;        /* there is something to tell: err */
    bool doubtful;     /* was in a transaction of which nobody knows whether it is on the disk, */
    bool is_there;     /* and it is */
    int err;
    size_t size; /* of the data */
    char data[]; /* the statement's; wiped, since it may be a key */
};

struct change_queue {
    struct list changes;
    unsigned plain, chained; /* how many */
};

/* With copies of the values, but not of the SQL. NULL: out of memory. */
struct change *change_new(enum change_kind kind, const struct statement *statement,
                          statement_done_fn done, void *arg);
/* Of one that is in no queue (any more); wipes it. */
void change_free(struct change *change);

void change_queue_init(struct change_queue *queue);
void change_queue_append(struct change_queue *queue, struct change *change);
/* The first one, or NULL. */
struct change *change_queue_take(struct change_queue *queue);
/* The first plain one, or NULL. */
struct change *change_queue_take_plain(struct change_queue *queue);
bool change_queue_is_empty(const struct change_queue *queue);
/* All of `from` comes behind what is in `to`. */
void change_queue_move(struct change_queue *to, struct change_queue *from);
/* The next one that was tried and whose owner has not been told; it stays in. NULL: none. */
struct change *change_queue_find_untold(struct change_queue *queue);
/* Nobody is told of this owner's any more. */
void change_queue_detach(struct change_queue *queue, const void *arg);
/* Frees all that are in it. */
void change_queue_clear(struct change_queue *queue);

#endif
