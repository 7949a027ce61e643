/* What the parts of database share. */
#ifndef PAMTUNNEL_VPS_STORE_DATABASE_INNER_H
#define PAMTUNNEL_VPS_STORE_DATABASE_INNER_H

#include <sqlite3.h>
#include <stdbool.h>

#include "vps/store/database.h"

enum { DATABASE_OFTEN = 4 }; /* statements that are kept: a row of the chain takes four */

struct database {
    sqlite3 *sqlite;
    sqlite3_stmt *often[DATABASE_OFTEN]; /* up to the first NULL */
    bool reads;                          /* and nothing else */
    int untidy;                          /* pages in the write-ahead log */
    /* Of one that reads: */
    bool (*is_in_vain)(void *arg);
    void *arg;
};

/* -errno for what SQLite said last, result. */
int database_error(sqlite3 *sqlite, int result);
/* What SQL of one row with a number says. */
int database_number(struct database *database, const char *sql, int64_t *ret_number);
/* SQL of one statement or several, without rows. */
int database_exec(struct database *database, const char *sql);

#endif
