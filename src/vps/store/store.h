/*
 * store: one SQLite file for what is to outlive the process, with one thread that
 * writes it. Nobody on the event loop ever waits for the disk: owners read what they
 * need at the start, keep it in memory, and hand in what changes.
 *
 *     open    the file is opened, its schema brought up to date; reading is possible
 *     start   the thread takes over; who wants to read from here on asks, and is answered later
 *
 * Everything that is queued goes into one transaction. It is on the disk, safe from a kill -9 and
 * from a power failure, when `done` is told so (WAL, synchronous=FULL). What cannot be written (a
 * full disk) stays queued, is tried again, and is said once. A file that somebody takes away is
 * begun anew, which is said.
 */
#ifndef PAMTUNNEL_VPS_STORE_STORE_H
#define PAMTUNNEL_VPS_STORE_STORE_H

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "base/why.h"
#include "vps/store/chain.h"
#include "vps/store/query.h"
#include "vps/store/statement.h"
#include "vps/store/verify.h"

struct store;

struct store_options {
    const char *path;      /* copied */
    const struct log *log; /* as what follows, outlives the store */
    /* SQL, of one statement or several: the n-th makes schema n out of n - 1. */
    const char *const *migrations;
    unsigned schema;     /* how many there are: the schema that this program knows */
    const char *reserve; /* where room is kept for when the disk is full; copied. NULL: nowhere */
};

/*
 * 0 also if the file cannot be opened now: then one line in the log says so, and nothing
 * is read. A damaged file is put aside as PATH.damaged, and a new one begun. Fails with
 * a sentence in why if the file is of a newer schema (-EPROTONOSUPPORT), or -ENOMEM.
 */
int store_open(const struct store_options *options, struct store **ret_store, struct why *why);
/*
 * True if there was something in the file and nobody knows what: it was damaged and put aside, or
 * could not be opened at the start. Accepts NULL.
 */
bool store_has_forgotten(const struct store *store);
/*
 * Has fn called on the loop when another file was begun in the place of the one that was open: what
 * an owner keeps in it has to be written once more. One can listen. Accepts NULL.
 */
typedef void (*store_anew_fn)(void *arg);
void store_on_anew(struct store *store, store_anew_fn fn, void *arg);
/* Calls fn with each row. Before store_start() only. A NULL store has no rows. 0 or -errno. */
int store_read(struct store *store, const struct statement *statement, row_fn fn, void *arg);
/* 0 or -errno. */
int store_start(struct store *store, uv_loop_t *loop);

/*
 * Queues a change; what it holds is copied, but not the SQL. done may be NULL; it is called on
 * the loop, never from inside here, with 0 or the -errno of the first attempt: what failed for want
 * of space or the like is tried again nevertheless. -ENODEV without a store (NULL is accepted),
 * -ENOMEM; done is not called then.
 */
int store_write(struct store *store, const struct statement *statement, statement_done_fn done,
                void *arg);
/*
 * Queues a row for the chain (chain.h), whose texts are copied. As store_write(), but a row is
 * never dropped: done(arg, 0) means that it is on the disk; an error, that the first attempt
 * failed. The row waits then and will be written as soon as that works, if this process lives to
 * see it, and nobody is told of that; so it says what was asked or what happened, and whoever
 * goes on only if it was recorded gives up and appends a row that says so.
 *
 * -ENOSPC while too many rows wait, -EMSGSIZE if the body is too long; done is not called then.
 */
int store_append(struct store *store, const struct chain_row *row, statement_done_fn done,
                 void *arg);
/*
 * Somebody waits for what was appended: it is written at the end of this turn of the loop, and not
 * some milliseconds later together with what comes meanwhile. Accepts NULL.
 */
void store_hurry(struct store *store);
/*
 * Where the chain ends: in a done of store_append() at or behind its row; seq 0 before the first
 * row, or without a file. Accepts NULL.
 */
struct chain_head store_head(struct store *store);
/*
 * Asks for a page of rows (query.h), of what was committed when it is read: whatever was told as
 * written is among it. How long that takes holds up nobody but who asks next. The callbacks run on
 * the loop, never from inside here. -ENODEV without a store, -EBUSY if too many ask, -ENOMEM; they
 * are not called then.
 */
int store_ask(struct store *store, const struct query *query, void *arg);
/*
 * Removes what the chain has from before that time (Unix milliseconds), from its beginning on, and
 * puts a row in its place (CHAIN_PRUNED), so that it still verifies. done is told 1 if there is
 * more of it, which takes another call; or 0, or -errno, and it is tried again. Errors as
 * store_append() has them.
 */
int store_prune(struct store *store, int64_t before_ms, statement_done_fn done, void *arg);
/*
 * Looks at the whole chain, as store_ask() reads: a million rows take some seconds. anchor may be
 * NULL. Errors as store_ask() has them.
 */
int store_verify(struct store *store, const struct chain_anchor *anchor, verify_done_fn done,
                 void *arg);
/*
 * Copies all that is in the file at one moment into a new one, of mode 0600, whole by itself and
 * synced to the disk, which a vps-agent that is stopped takes for its state.db. done is told
 * -EEXIST if there is one of that name already. Where the sandbox is closed, only STATE_DIR can be
 * written to. Errors as store_ask() has them.
 */
int store_backup(struct store *store, const char *path, statement_done_fn done, void *arg);
/* How it is; of a NULL store all is 0. */
struct store_view {
    unsigned changes, records; /* that are not on the disk: of store_write(), of store_append() */
    uint64_t
        delay_us; /* how long the oldest of them has waited, or else the last that was written */
    int trouble;  /* why nothing can be written, -errno; 0: it can */
};
struct store_view store_view(struct store *store);
/*
 * 0 if what is handed in now can be expected to be written; or why not, -errno. -ENOSPC begins
 * when the disk is full and the reserve was given up: what happens goes on to be recorded in that
 * room, as long as it lasts, but nothing more should be begun. It passes by itself when there is
 * room again. Without a store, -ENODEV.
 */
int store_can_write(struct store *store);
/* Has fn called on the loop whenever that changes, with what it is then. One can listen. */
typedef void (*store_changed_fn)(void *arg, int err);
void store_on_change(struct store *store, store_changed_fn fn, void *arg);
/*
 * The callbacks of this owner do not run any more; its writes do, and what it asked is given up.
 * Accepts NULL.
 */
void store_detach(struct store *store, const void *arg);

/* Leaves the loop: no callback runs any more. What is queued, is written. Accepts NULL. */
void store_stop(struct store *store);
/* After store_stop(), and the loop: waits until everything is written. Accepts NULL. */
void store_free(struct store *store);

#endif
