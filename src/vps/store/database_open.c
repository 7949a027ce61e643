/* How a connection begins and ends: one that writes, and one that reads beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vps/store/database.h"
#include "vps/store/database_inner.h"

enum {
    BUSY_MS = 2000,           /* for whoever looks into the file with sqlite3 */
    LARGE = 16 * 1024 * 1024, /* bytes, which are looked through in a moment */
};

/* ---- one that writes -------------------------------------------------------- */

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
    int err = database_exec(database, "PRAGMA trusted_schema=0; PRAGMA temp_store=MEMORY;"
                                      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    /* Its files stay when it is closed: with their space, it opens again on a full disk. */
    sqlite3_file_control(database->sqlite, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_wal_hook(database->sqlite, on_commit, database);
    return err;
}

static void take_verdict(void *arg, const struct row *row)
{
    *(bool *)arg = strcmp(row_text(row, 0), "ok") == 0;
}

static int check(struct database *database, const struct statement *statement)
{
    bool well = false;
    int err = database_run(database, statement, take_verdict, &well);
    return err < 0 ? err : well ? 0 : -EUCLEAN;
}

struct look {
    struct database *database;
    const char *large;
    int err;
};

static bool check_table(void *arg, const struct row *row)
{
    struct look *look = arg;
    const struct statement statement = {"SELECT * FROM pragma_quick_check(?1) LIMIT 1",
                                        {value_text(row_text(row, 0))}};
    if (strcmp(row_text(row, 0), look->large) != 0) {
        look->err = check(look->database, &statement);
    }
    return look->err == 0;
}

/*
 * Damage is found now, and not by the first change that meets it: but for a table that takes
 * seconds, whose damage is found when something meets it.
 */
static int look_through(struct database *database, const char *path, const char *large)
{
    static const struct statement ALL = {"PRAGMA quick_check(1)", {{0}}};
    static const struct statement TABLES = {"SELECT name FROM sqlite_schema WHERE type = 'table'",
                                            {{0}}};
    struct look look = {.database = database, .large = large};
    struct stat file;
    if (!large || stat(path, &file) < 0 || file.st_size < LARGE) {
        return check(database, &ALL);
    }
    int err = database_each(database, &TABLES, check_table, &look);
    return err < 0 ? err : look.err;
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
        err = database_exec(database, migrations[i]);
    }
    snprintf(line, sizeof line, "PRAGMA user_version=%u", to);
    err = err < 0 ? err : database_exec(database, line);
    err = err < 0 ? err : database_commit(database);
    if (err < 0) {
        database_rollback(database);
        return err;
    }
    database_tidy(database); /* for database_peek() */
    return 0;
}

static int bring_up_to_date(struct database *database, const struct database_options *options,
                            struct why *why)
{
    const unsigned schema = options->schema;
    int64_t found = 0;
    int err = database_number(database, "PRAGMA user_version", &found);
    if (err < 0 || found == schema) {
        return err;
    }
    if (found < 0 || found > schema) {
        return why_set(why, -EPROTONOSUPPORT,
                       "%s was written by a newer version (its schema is %lld, this one knows %u): "
                       "install that version again, or move the file away to start a new one",
                       options->path, (long long)found, schema);
    }
    return migrate(database, options->migrations, (unsigned)found, schema);
}

int database_open(const struct database_options *options, struct database **ret_database,
                  struct why *why)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database) {
        return -ENOMEM;
    }
    int err = make_file(options->path);
    if (err == 0) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
        int result = sqlite3_open_v2(options->path, &database->sqlite, flags, NULL);
        err = result == SQLITE_OK ? configure(database) : database_error(database->sqlite, result);
    }
    err = err < 0 ? err : look_through(database, options->path, options->large);
    err = err < 0 ? err : bring_up_to_date(database, options, why);
    if (err < 0) {
        database_close(database);
        return err;
    }
    *ret_database = database;
    return 0;
}

/* ---- one that reads --------------------------------------------------------- */

static int on_progress(void *arg)
{
    struct database *database = arg;
    return database->is_in_vain(database->arg);
}

int database_open_reader(const char *path, bool (*is_in_vain)(void *arg), void *arg,
                         struct database **ret_database)
{
    enum { STEPS = 10000 }; /* of SQLite's machine: a fraction of a millisecond */
    struct database *database = calloc(1, sizeof *database);
    if (!database) {
        return -ENOMEM;
    }
    *database = (struct database){.reads = true, .is_in_vain = is_in_vain, .arg = arg};
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    int result = sqlite3_open_v2(path, &database->sqlite, flags, NULL);
    int err = database_error(database->sqlite, result);
    if (err == 0) {
        sqlite3_busy_timeout(database->sqlite, BUSY_MS);
        sqlite3_extended_result_codes(database->sqlite, 1);
        sqlite3_progress_handler(database->sqlite, STEPS, on_progress, database);
        err = database_exec(database, "PRAGMA trusted_schema=0; PRAGMA temp_store=MEMORY");
    }
    if (err < 0) {
        database_close(database);
        return err;
    }
    *ret_database = database;
    return 0;
}

/* ---- its end ---------------------------------------------------------------- */

void database_close(struct database *database)
{
    for (unsigned i = 0; database && i < DATABASE_OFTEN; i++) {
        sqlite3_finalize(database->often[i]);
    }
    if (database && database->sqlite) {
        if (!database->reads) {
            /* The file is whole by itself then, to be copied; those beside it stay, but empty. */
            sqlite3_wal_checkpoint_v2(database->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                      NULL);
        }
        sqlite3_close(database->sqlite);
    }
    free(database);
}
