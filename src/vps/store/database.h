/*
 * database: a connection to one SQLite file, for one thread at a time. Errors are
 * -errno: -EINVAL is the statement's own (SQL, a constraint), all others are the file's:
 * -EUCLEAN it is damaged, -ENOSPC no space, -EROFS, -EACCES, -EBUSY, -EIO, …
 */
#ifndef PAMTUNNEL_VPS_STORE_DATABASE_H
#define PAMTUNNEL_VPS_STORE_DATABASE_H

#include <stdbool.h>

#include "base/why.h"
#include "vps/store/statement.h"

struct database;

struct database_options {
    const char *path;
    const char *const *migrations; /* as store.h has them */
    unsigned schema;
    const char *large; /* a table that may be, and is then not looked through; or NULL */
};

/*
 * Opens the file, or makes it with mode 0600, looks it through, and brings its schema up
 * to date (store.h). -EPROTONOSUPPORT with a sentence if its schema is a newer one.
 */
int database_open(const struct database_options *options, struct database **ret_database,
                  struct why *why);
/*
 * One that only reads, beside the one that writes and without holding it up, whatever thread that
 * is in; a read sees what was committed when it began. While one is under way, is_in_vain is asked
 * every millisecond or so, and if it says true, the read fails with -ECANCELED. The file must be
 * there.
 */
int database_open_reader(const char *path, bool (*is_in_vain)(void *arg), void *arg,
                         struct database **ret_database);
/* Accepts NULL. */
void database_close(struct database *database);

/* The file was removed, or another one is in its place: what is written would go nowhere. */
bool database_has_gone(struct database *database);

int database_begin(struct database *database);
/* All reads until the rollback see the same. */
int database_begin_reading(struct database *database);
/* fn may be NULL. */
int database_run(struct database *database, const struct statement *statement, row_fn fn,
                 void *arg);
/* The same, while fn says true. */
typedef bool (*each_fn)(void *arg, const struct row *row);
int database_each(struct database *database, const struct statement *statement, each_fn fn,
                  void *arg);
/* As database_run(), and keeps the statement for the next time: for what each change takes. */
int database_run_often(struct database *database, const struct statement *statement, row_fn fn,
                       void *arg);
int database_commit(struct database *database);
void database_rollback(struct database *database);
/*
 * Much was written since the last time that it was moved into the file itself: 1 means that
 * this is due when nothing else is to be done, 2 at once.
 */
int database_untidiness(const struct database *database);
/* Does that. It syncs the disk, which may take long; so that the next commit need not. */
void database_tidy(struct database *database);
/* Moves all of it there, synced: 0, or -errno. -EBUSY: others have read for too long. */
int database_settle(struct database *database);

/*
 * Renames a damaged file to PATH.damaged, or where there is one to PATH.damaged.2 and so on; the
 * ninth is in the place of the one before. 0 or -errno.
 */
int database_put_aside(const char *path);
/*
 * The schema of a file that perhaps nobody has opened, without opening it as a database:
 * -ENOENT, -EUCLEAN if it is none, or another -errno.
 */
int database_peek(const char *path, unsigned *ret_schema);

#endif
