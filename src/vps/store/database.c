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
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUSY_MS = 2000, /* for whoever looks into the file with sqlite3 */
    TIDY_PAGES = 200,
    UNTIDY_PAGES = 2000,
    SIDE_NAME_MAX = 32,
};

/* Files that SQLite keeps beside PATH. */
static const char *const SIDES[] = {"", "-wal", "-shm", "-journal"};

struct database {
    sqlite3 *sqlite;
    int untidy; /* pages in the write-ahead log */
};

struct row {
    sqlite3_stmt *prepared;
};

/* ---- errors ---------------------------------------------------------------- */

static int system_error(sqlite3 *sqlite, int otherwise)
{
    int err = sqlite3_system_errno(sqlite);
    return err > 0 ? -err : otherwise;
}

static int error_of(sqlite3 *sqlite, int result)
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
    case SQLITE_CANTOPEN:
        return system_error(sqlite, -EACCES);
    case SQLITE_IOERR:
        return system_error(sqlite, -EIO);
    default:
        return -EINVAL;
    }
}

/* ---- statements ------------------------------------------------------------ */

int64_t row_number(const struct row *row, int column)
{
    return sqlite3_column_int64(row->prepared, column);
}

const char *row_text(const struct row *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row->prepared, column);
    return text ? text : "";
}

const void *row_blob(const struct row *row, int column, size_t *ret_len)
{
    const void *data = sqlite3_column_blob(row->prepared, column);
    *ret_len = (size_t)sqlite3_column_bytes(row->prepared, column);
    return data;
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

int database_run(struct database *database, const struct statement *statement, row_fn fn, void *arg)
{
    sqlite3_stmt *prepared = NULL;
    int result = sqlite3_prepare_v2(database->sqlite, statement->sql, -1, &prepared, NULL);
    if (result == SQLITE_OK) {
        result = bind_values(prepared, statement->values);
    }
    if (result == SQLITE_OK) {
        struct row row = {prepared};
        while ((result = sqlite3_step(prepared)) == SQLITE_ROW) {
            if (fn) {
                fn(arg, &row);
            }
        }
    }
    int err = error_of(database->sqlite, result);
    sqlite3_finalize(prepared);
    return err;
}

static int run(struct database *database, const char *sql)
{
    return error_of(database->sqlite, sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL));
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
    return run(database, "BEGIN IMMEDIATE");
}

int database_commit(struct database *database)
{
    return run(database, "COMMIT");
}

void database_rollback(struct database *database)
{
    if (!sqlite3_get_autocommit(database->sqlite)) {
        run(database, "ROLLBACK");
    }
}

/* ---- opening --------------------------------------------------------------- */

/* SQLite gives its other files the mode of this one. */
static int make_file(const char *path)
{
    struct stat file;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int err = fstat(fd, &file) < 0 ? -errno : 0;
    if (err == 0 && !S_ISREG(file.st_mode)) {
        err = -EINVAL;
    } else if (err == 0 && (file.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0) {
        err = -errno;
    }
    close(fd);
    return err;
}

static int on_commit(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
    struct database *database = arg;
    (void)sqlite;
    (void)name;
    database->untidy = pages;
    return SQLITE_OK;
}

static int configure(struct database *database)
{
    int keep = 1;
    sqlite3_busy_timeout(database->sqlite, BUSY_MS);
    sqlite3_extended_result_codes(database->sqlite, 1);
    int err = run(database, "PRAGMA trusted_schema=0; PRAGMA temp_store=MEMORY;"
                            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    /* Its files stay when it is closed: with their space, it opens again on a full disk. */
    sqlite3_file_control(database->sqlite, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_wal_hook(database->sqlite, on_commit, database);
    return err;
}

static void take_number(void *arg, const struct row *row)
{
    *(int64_t *)arg = row_number(row, 0);
}

static void take_verdict(void *arg, const struct row *row)
{
    *(bool *)arg = strcmp(row_text(row, 0), "ok") == 0;
}

/* Damage is found now, and not by the first change that meets it. */
static int look_through(struct database *database)
{
    bool well = false;
    int err = database_run(database, &(struct statement){"PRAGMA quick_check(1)", {{0}}},
                           take_verdict, &well);
    return err < 0 ? err : well ? 0 : -EUCLEAN;
}

/*
 * All steps in one transaction: a crash leaves the old schema or the new one, and nothing in
 * between.
 */
static int migrate(struct database *database, const char *const *migrations, unsigned from,
                   unsigned to)
{
    char line[48];
    int err = database_begin(database);
    for (unsigned i = from; i < to && err == 0; i++) {
        err = run(database, migrations[i]);
    }
    snprintf(line, sizeof line, "PRAGMA user_version=%u", to);
    err = err < 0 ? err : run(database, line);
    err = err < 0 ? err : database_commit(database);
    if (err < 0) {
        database_rollback(database);
        return err;
    }
    database_tidy(database); /* for database_peek() */
    return 0;
}

static int bring_up_to_date(struct database *database, const char *path,
                            const char *const *migrations, unsigned schema, struct why *why)
{
    int64_t found = 0;
    int err = database_run(database, &(struct statement){"PRAGMA user_version", {{0}}}, take_number,
                           &found);
    if (err < 0 || found == schema) {
        return err;
    }
    if (found < 0 || found > schema) {
        return why_set(why, -EPROTONOSUPPORT,
                       "%s was written by a newer version (its schema is %lld, this one knows %u): "
                       "install that version again, or move the file away to start a new one",
                       path, (long long)found, schema);
    }
    return migrate(database, migrations, (unsigned)found, schema);
}

int database_open(const char *path, const char *const *migrations, unsigned schema,
                  struct database **ret_database, struct why *why)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database) {
        return -ENOMEM;
    }
    int err = make_file(path);
    if (err == 0) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
        int result = sqlite3_open_v2(path, &database->sqlite, flags, NULL);
        err = result == SQLITE_OK ? configure(database) : error_of(database->sqlite, result);
    }
    err = err < 0 ? err : look_through(database);
    err = err < 0 ? err : bring_up_to_date(database, path, migrations, schema, why);
    if (err < 0) {
        database_close(database);
        return err;
    }
    *ret_database = database;
    return 0;
}

void database_close(struct database *database)
{
    if (database && database->sqlite) {
        /* The file is whole by itself then, to be copied; those beside it stay, but empty. */
        sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(database->sqlite);
    }
    free(database);
}

int database_untidiness(const struct database *database)
{
    return database->untidy >= UNTIDY_PAGES ? 2 : database->untidy >= TIDY_PAGES;
}

void database_tidy(struct database *database)
{
    char line[48];
    int64_t schema = 0;
    sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* The first write after that begins the log anew, and syncs: be it one nobody waits for. */
    if (database_run(database, &(struct statement){"PRAGMA user_version", {{0}}}, take_number,
                     &schema) == 0) {
        snprintf(line, sizeof line, "PRAGMA user_version=%lld", (long long)schema);
        run(database, line);
    }
    database->untidy = 0;
}

/* ---- files ----------------------------------------------------------------- */

int database_put_aside(const char *path)
{
    int err = 0;
    for (size_t i = 0; i < sizeof SIDES / sizeof *SIDES; i++) {
        char from[PATH_MAX], to[PATH_MAX + SIDE_NAME_MAX];
        snprintf(from, sizeof from, "%s%s", path, SIDES[i]);
        snprintf(to, sizeof to, "%s.damaged%s", path, SIDES[i]);
        unlink(to); /* of an older one, which may have had more files */
        if (rename(from, to) < 0 && errno != ENOENT && err == 0) {
            err = -errno;
        }
    }
    return err;
}

int database_peek(const char *path, unsigned *ret_schema)
{
    static const char MAGIC[16] = "SQLite format 3";
    enum { HEADER_SIZE = 100, USER_VERSION = 60 };
    uint8_t header[HEADER_SIZE];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = read(fd, header, sizeof header);
    int err = got < 0 ? -errno : 0;
    close(fd);
    if (err == 0 && got == 0) {
        *ret_schema = 0; /* one that was only just made */
        return 0;
    }
    if (err == 0 && (got < HEADER_SIZE || memcmp(header, MAGIC, sizeof MAGIC) != 0)) {
        err = -EUCLEAN;
    }
    if (err == 0) {
        const uint8_t *at = header + USER_VERSION;
        *ret_schema = (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
    }
    return err;
}
