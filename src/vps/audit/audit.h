/*
 * audit: what happened, recorded before anybody is told of it. A record is handed to the store
 * (vps/store), whose thread writes it behind the one before; nobody on the loop waits for that.
 *
 * Who may go on only when something is on the disk has `done` called then. Everybody else has
 * what goes out to people wait at a barrier, which opens when all that was recorded until then
 * is on the disk: in one place of each service that carries answers.
 *
 * All functions accept NULL: nothing is recorded, and nobody waits.
 */
#ifndef PAMTUNNEL_VPS_AUDIT_AUDIT_H
#define PAMTUNNEL_VPS_AUDIT_AUDIT_H

#include <uv.h>

#include "base/journal.h"
#include "base/log.h"
#include "vps/audit/entry.h"
#include "vps/store/store.h"

struct audit;

/* A disk that does not say for this long whether it has written is one that cannot. */
enum { AUDIT_PATIENCE_MS = 10000 };

struct audit_options {
    uv_loop_t *loop;
    struct store *store;     /* as what follows, outlives the audit */
    struct journal *journal; /* or NULL */
    const struct log *log;
    const long *days; /* after which records are removed; 0: never. It may change; NULL: never */
    /* From now on nothing can be recorded, -errno; or it can again, 0. May be NULL. */
    void (*changed)(void *arg, int err);
    void *arg;
};

/* NULL when out of memory. */
struct audit *audit_new(const struct audit_options *options);
/* Nobody is called back any more; what was recorded is still written. */
void audit_free(struct audit *audit);

/*
 * Called once, from the loop: 0, it is on the disk; or -errno, it could not be written at the
 * first attempt, and is tried again. It may record, wait and detach, but not free the audit.
 */
typedef void (*audit_done_fn)(void *arg, int err);

/*
 * Records it. done may be NULL, and is never called from inside here. 0; or -errno, and done is
 * not called: -ENODEV without an audit, others if there is no room for it, which is in the log.
 */
int audit_record(struct audit *audit, const struct audit_entry *entry, audit_done_fn done,
                 void *arg);
/*
 * Records an end, with the word AUDIT_END_CRASH, for each session and each request that was open
 * when the last agent came to a sudden end. Before store_start(), and before this agent records
 * that it has started. How many there are.
 */
unsigned audit_after_crash(struct audit *audit);
#define AUDIT_END_CRASH "crash"
/*
 * True if all that was recorded so far is on the disk, or could not be written: go on. False: fn
 * is called when that is so, at the latest after AUDIT_PATIENCE_MS (-ETIMEDOUT), from the loop.
 * Several are called in the order in which they came.
 */
bool audit_barrier(struct audit *audit, audit_done_fn fn, void *arg);
/* What came of looking at the whole chain; see store_verify() and chain.h. */
int audit_verify(struct audit *audit, const struct chain_anchor *anchor, verify_done_fn done,
                 void *arg);
/* See store_backup(). */
int audit_backup(struct audit *audit, const char *path, audit_done_fn done, void *arg);
/* Why nothing can be recorded at the moment, -errno; 0: it can. */
int audit_trouble(const struct audit *audit);
/* Where the chain ends: what was recorded last and is on the disk. seq is 0 before the first. */
struct chain_head audit_head(const struct audit *audit);
enum { AUDIT_HEAD_TEXT_MAX = 64 };
/* "#1234 9f2c…", the number and half of the hash, to be noted elsewhere; "" if there is none. */
char *audit_head_text(const struct audit *audit, char dst[AUDIT_HEAD_TEXT_MAX]);
/* No callback of this arg's is called any more. */
void audit_detach(struct audit *audit, const void *arg);

#endif
