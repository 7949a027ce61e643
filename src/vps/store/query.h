/*
 * query: a page of rows that somebody on the loop asks for. Who wants more asks again, behind
 * the last row of this page, so that an answer has a bound however many rows there are, and nobody
 * who reads slowly keeps a read open.
 */
#ifndef PAMTUNNEL_VPS_STORE_QUERY_H
#define PAMTUNNEL_VPS_STORE_QUERY_H

#include <stdbool.h>

#include "vps/store/statement.h"

struct task;

enum { QUERY_ROWS_MAX = 256, QUERY_BYTES_MAX = 256 * 1024 };

/* err is 0 or -errno as database_run() has it; more: there are further rows. */
typedef void (*query_done_fn)(void *arg, int err, bool more);

struct query {
    struct statement statement; /* one that reads */
    unsigned rows;              /* a page's; 0 or too many: QUERY_ROWS_MAX */
    row_fn row;                 /* on the loop, for each row, */
    query_done_fn done;         /* and then this; not after an error in the middle */
};

/* With copies of the values, but not of the SQL. NULL: out of memory. */
struct task *query_task(const struct query *query, void *arg);

#endif
