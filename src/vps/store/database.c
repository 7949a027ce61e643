/*
 * SQLite as this program uses it: a write-ahead log, so that a commit is an append and one sync of
 * the disk (synchronous=FULL): what was committed is still there after a power failure, which the
 * audit is worth nothing without. The log is moved into the file (a checkpoint) by database_tidy(),
 * at moments that nobody waits for; and the log and its index stay behind with their space, so that
 * the file opens on a full disk. A connection is of one thread at a time, without SQLite's own
 * mutexes.
 */
#include "vps/store/database.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vps/store/database_inner.h"

enum { TIDY_PAGES = 200, UNTIDY_PAGES = 2000 };

/* ---- errors ---------------------------------------------------------------- */

static int system_error(sqlite3 *sqlite, int otherwise)
{
    int err = sqlite3_system_errno(sqlite);
    return err > 0 ? -err : otherwise;
}

int database_error(sqlite3 *sqlite, int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -ECANCELED;
    case SQLITE_CANTOPEN:
        return system_error(sqlite, -EACCES);
    case SQLITE_IOERR:
        return system_error(sqlite, -EIO);
    default:
        return -EINVAL;
    }
}

/* ---- statements ------------------------------------------------------------ */

static struct value value_of(sqlite3_stmt *prepared, int column)
{
    switch (sqlite3_column_type(prepared, column)) {
    case SQLITE_INTEGER:
        return value_number(sqlite3_column_int64(prepared, column));
    case SQLITE_TEXT: {
        struct value text = value_text((const char *)sqlite3_column_text(prepared, column));
        text.number = sqlite3_column_bytes(prepared, column);
        return text;
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(prepared, column);
        return value_blob(data, (size_t)sqlite3_column_bytes(prepared, column));
    }
    default:
        return (struct value){.kind = VALUE_NONE};
    }
}

/* The row that it is at. */
static bool hand_over(sqlite3_stmt *prepared, each_fn fn, void *arg)
{
    struct value values[ROW_COLUMNS_MAX];
    struct row row = {.values = values};
    size_t count = (size_t)sqlite3_column_count(prepared);
    for (; row.count < count && row.count < ROW_COLUMNS_MAX; row.count++) {
        values[row.count] = value_of(prepared, (int)row.count);
    }
    return fn(arg, &row);
}

static int bind_value(sqlite3_stmt *prepared, int at, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NUMBER:
        return sqlite3_bind_int64(prepared, at, value->number);
    case VALUE_TEXT:
        return sqlite3_bind_text(prepared, at, value->data, -1, SQLITE_STATIC);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(prepared, at, value->data, (uint64_t)value->number,
                                   SQLITE_STATIC);
    case VALUE_NONE:
        break;
    }
    return SQLITE_OK;
}

static int bind_values(sqlite3_stmt *prepared, const struct value *values)
{
    int result = SQLITE_OK;
    for (int i = 0; i < STATEMENT_VALUES_MAX && values[i].kind != VALUE_NONE; i++) {
        if (result == SQLITE_OK) {
            result = bind_value(prepared, i + 1, &values[i]);
        }
    }
    return result;
}

static int step_through(struct database *database, sqlite3_stmt *prepared,
                        const struct value *values, each_fn fn, void *arg)
{
    int result = bind_values(prepared, values);
    if (result == SQLITE_OK) {
        while ((result = sqlite3_step(prepared)) == SQLITE_ROW && hand_over(prepared, fn, arg)) {
        }
    }
    return database_error(database->sqlite, result);
}

int database_each(struct database *database, const struct statement *statement, each_fn fn,
                  void *arg)
{
    sqlite3_stmt *prepared = NULL;
    int result = sqlite3_prepare_v2(database->sqlite, statement->sql, -1, &prepared, NULL);
    int err = result == SQLITE_OK ? step_through(database, prepared, statement->values, fn, arg)
                                  : database_error(database->sqlite, result);
    sqlite3_finalize(prepared);
    return err;
}

struct receiver {
    row_fn fn;
    void *arg;
};

static bool pass_on(void *arg, const struct row *row)
{
    const struct receiver *receiver = arg;
    if (receiver->fn) {
        receiver->fn(receiver->arg, row);
    }
    return true;
}

int database_run(struct database *database, const struct statement *statement, row_fn fn, void *arg)
{
    return database_each(database, statement, pass_on, &(struct receiver){fn, arg});
}

/* The place of a statement, which may be empty yet. */
static sqlite3_stmt **find_kept(struct database *database, const char *sql)
{
    for (unsigned i = 0; i < DATABASE_OFTEN; i++) {
        sqlite3_stmt **kept = &database->often[i];
        if (!*kept || strcmp(sqlite3_sql(*kept), sql) == 0) {
            return kept;
        }
    }
    return NULL;
}

int database_run_often(struct database *database, const struct statement *statement, row_fn fn,
                       void *arg)
{
    sqlite3_stmt **kept = find_kept(database, statement->sql);
    if (!kept || (*kept && sqlite3_stmt_busy(*kept))) {
        return database_run(database, statement, fn, arg);
    }
    int result = *kept ? SQLITE_OK
                       : sqlite3_prepare_v3(database->sqlite, statement->sql, -1,
                                            SQLITE_PREPARE_PERSISTENT, kept, NULL);
    if (result != SQLITE_OK) {
        return database_error(database->sqlite, result);
    }
    int err = step_through(database, *kept, statement->values, pass_on,
                           &(struct receiver){fn, arg});
    sqlite3_reset(*kept);
    sqlite3_clear_bindings(*kept);
    return err;
}

static int run_often(struct database *database, const char *sql)
{
    return database_run_often(database, &(struct statement){sql, {{0}}}, NULL, NULL);
}

static void take_number(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

int database_number(struct database *database, const char *sql, int64_t *ret_number)
{
    return database_run(database, &(struct statement){sql, {{0}}}, take_number, ret_number);
}

int database_exec(struct database *database, const char *sql)
{
    return database_error(database->sqlite, sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL));
}

/*
 * A file that was removed or replaced can still be written to, and nobody would ever read what is
 * in it.
 */
bool database_has_gone(struct database *database)
{
    int gone = 0;
    sqlite3_file_control(database->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &gone);
    return gone;
}

int database_begin(struct database *database)
{
    /* A plain BEGIN takes the lock for writing only at its first change, and could fail there. */
    return run_often(database, "BEGIN IMMEDIATE");
}

int database_begin_reading(struct database *database)
{
    return database_exec(database, "BEGIN");
}

int database_commit(struct database *database)
{
    return run_often(database, "COMMIT");
}

void database_rollback(struct database *database)
{
    if (!sqlite3_get_autocommit(database->sqlite)) {
        database_exec(database, "ROLLBACK");
    }
}

/* ---- the write-ahead log ---------------------------------------------------- */

int database_untidiness(const struct database *database)
{
    return database->untidy >= UNTIDY_PAGES ? 2 : database->untidy >= TIDY_PAGES;
}

int database_settle(struct database *database)
{
    return database_error(
        database->sqlite,
        sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL));
}

void database_tidy(struct database *database)
{
    char line[48];
    int64_t schema = 0;
    sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* The first write after that begins the log anew, and syncs: be it one nobody waits for. */
    if (database_number(database, "PRAGMA user_version", &schema) == 0) {
        snprintf(line, sizeof line, "PRAGMA user_version=%lld", (long long)schema);
        database_exec(database, line);
    }
    database->untidy = 0;
}
