#include "vps/store/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "vps/store/reserve.h"

/* ---- the chain ------------------------------------------------------------- */

/*
 * Where a file was lost, its chain's last row that this process knew of is said in the first one of
 * the next: whoever finds the old file can tell whether it is whole.
 */
static int say_anew(struct file *file, struct chain_head *head)
{
    static const char *const REASONS[] = {
        [ANEW_DAMAGED] = "damaged", [ANEW_GONE] = "gone", [ANEW_ALTERED] = "altered"};
    char hash[2 * CRYPTO_HASH_SIZE + 1], body[160];
    crypto_hex(file->head.hash, sizeof file->head.hash, hash);
    snprintf(body, sizeof body, "{\"because\":\"%s\",\"last_seq\":%lld,\"last_hash\":\"%s\"}",
             REASONS[file->unsaid], (long long)file->head.seq, hash);
    struct statement statement = chain_statement(
        &(struct chain_row){.at_ms = clock_unix_ms(),
                            .what = file->unsaid == ANEW_ALTERED ? CHAIN_TOUCHED : CHAIN_BEGUN,
                            .body = body});
    return chain_append(file->database, head, &statement);
}

static bool is_same(const struct chain_head *one, const struct chain_head *other)
{
    return one->seq == other->seq && memcmp(one->hash, other->hash, sizeof one->hash) == 0;
}

static bool is_as_we_left_it(const struct file *file, const struct chain_head *head)
{
    return !file->known || is_same(head, &file->head);
}

/*
 * A commit that failed on the disk (EIO) may be found in the log when the file is opened again: the
 * chain ends where it would have ended then, and what was in it is not done once more. That it can
 * be read there does not mean that the disk has it, so that open_again() has settled it before.
 */
static void settle_doubts(struct file *file, const struct change_queue *changes,
                          const struct chain_head *head)
{
    bool is_there = file->doubts && is_same(head, &file->doubtful);
    list_each (struct change, change, &changes->changes, home) {
        change->is_there = change->is_there || (change->doubtful && is_there);
        change->doubtful = false;
    }
    file->doubts = false;
}

/* What was in the transaction that nobody knows of; the chain tells, if it grew by it. */
static void doubt(struct file *file, const struct change_queue *changes,
                  const struct chain_head *before, const struct chain_head *head)
{
    file->doubts = head->seq > before->seq;
    file->doubtful = *head;
    list_each (struct change, change, &changes->changes, home) {
        change->doubtful = file->doubts;
    }
}

/* Where to go on; a schema without a chain is all right. */
static int load_chain(struct file *file, const struct change_queue *changes,
                      struct chain_head *ret_head, enum anew *ret_anew)
{
    int err = chain_load(file->database, ret_head);
    if (err == 0) {
        settle_doubts(file, changes, ret_head);
    }
    if (err == 0 && !file->unsaid && !is_as_we_left_it(file, ret_head)) {
        *ret_anew = file->unsaid = ANEW_ALTERED;
    }
    if (err == 0 && file->unsaid) {
        return say_anew(file, ret_head);
    }
    return err == -EINVAL ? 0 : err;
}

/* ---- the file -------------------------------------------------------------- */

static bool is_want_of_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

void file_close(struct file *file)
{
    database_close(file->database);
    file->database = NULL;
    file->known = false;
}

static int open_database(struct file *file, struct why *why)
{
    const struct database_options options = {.path = file->path,
                                             .migrations = file->migrations,
                                             .schema = file->schema,
                                             .large = file->suspect ? NULL : CHAIN_TABLE};
    return database_open(&options, &file->database, why);
}

static int open_or_begin(struct file *file, enum anew *ret_anew, struct why *why)
{
    int err = file->condemned ? -EUCLEAN : open_database(file, why);
    if (err == -EUCLEAN) {
        err = database_put_aside(file->path);
        if (err == 0) {
            file->condemned = file->suspect = false;
            *ret_anew = file->unsaid = ANEW_DAMAGED;
            err = open_database(file, why);
        }
    }
    return err;
}

/* Our own statements: a table that does not take one is not as we made it. */
static int of_chain(int err)
{
    return err == -EINVAL ? -EUCLEAN : err;
}

static int make_change(struct file *file, const struct change *change, struct chain_head *head)
{
    switch (change->kind) {
    case CHANGE_ROW:
        return of_chain(chain_append(file->database, head, &change->statement));
    case CHANGE_CUT:
        return of_chain(
            chain_cut(file->database, head, change->statement.values[0].number, clock_unix_ms()));
    case CHANGE_PLAIN:
        break;
    }
    return database_run(file->database, &change->statement, NULL, NULL);
}

/*
 * A statement of an owner's that is wrong in itself (-EINVAL) would be wrong the next time, too,
 * and hold up all others for good: its owner hears of it, and the rest is written. Where the chain
 * ends is read each time, so that a row that somebody else put there holds up none of ours.
 */
static int make_changes(struct file *file, const struct change_queue *changes, enum anew *ret_anew)
{
    struct chain_head head = {0};
    int err = database_begin(file->database);
    err = err < 0 ? err : load_chain(file, changes, &head, ret_anew);
    const struct chain_head before = head;
    list_each (struct change, change, &changes->changes, home) {
        if (err == 0 && change->is_there) {
            change->err = 0;
        } else if (err == 0) {
            change->err = make_change(file, change, &head);
            bool whole = change->err >= 0 || change->err == -EINVAL; /* its own fault alone */
            err = whole ? 0 : change->err;
        }
    }
    if (err == 0 && (err = database_commit(file->database)) < 0) {
        doubt(file, changes, &before, &head);
    }
    if (err < 0) {
        database_rollback(file->database);
        return err;
    }
    file->head = head;
    file->known = true;
    file->unsaid = ANEW_NOT;
    return 0;
}

void file_keep_reserve(struct file *file)
{
    int err = file->reserve ? reserve_make(file->reserve) : 0;
    file->full = is_want_of_room(err);
    file->spent = err < 0;
}

/*
 * After a failure for want of room: true if there is some now, and another attempt is worth it.
 * SQLite calls it EIO where it has to enlarge the index of its log, as when it opens the file.
 */
static bool make_room(struct file *file, int err)
{
    if (!file->reserve || !(is_want_of_room(err) || err == -EIO)) {
        return false;
    }
    file->full = file->full || is_want_of_room(err);
    bool given = reserve_give(file->reserve);
    file->spent = file->spent || given;
    return given;
}

static int open_once(struct file *file, enum anew *ret_anew, struct why *why)
{
    struct change_queue none;
    int err = open_or_begin(file, ret_anew, why);
    change_queue_init(&none);
    if (err == 0 && file->unsaid) {
        return make_changes(file, &none, ret_anew);
    }
    if (err == 0) {
        file->known = chain_load(file->database, &file->head) == 0;
    }
    return err;
}

int file_open(struct file *file, enum anew *ret_anew, struct why *why)
{
    int err = open_once(file, ret_anew, why);
    if (err < 0 && make_room(file, err)) {
        file_close(file);
        err = open_once(file, ret_anew, why);
    }
    file_keep_reserve(file);
    return err;
}

/* After trouble: what may be found in it is made to last first. */
static int open_again(struct file *file, enum anew *ret_anew)
{
    int err = open_or_begin(file, ret_anew, NULL);
    return err == 0 && file->doubts ? database_settle(file->database) : err;
}

static int write_once(struct file *file, const struct change_queue *changes, enum anew *ret_anew)
{
    if (file->database && database_has_gone(file->database)) {
        file_close(file);
        *ret_anew = file->unsaid = ANEW_GONE;
    }
    int err = file->database ? 0 : open_again(file, ret_anew);
    err = err < 0 ? err : make_changes(file, changes, ret_anew);
    file->condemned = file->suspect && err == -EUCLEAN;
    file->suspect = err == -EUCLEAN;
    /*
     * A full disk and a lock pass by themselves. Anything else may be damage, which only opening
     * anew finds, and looking it all through.
     */
    if (err < 0 && !is_want_of_room(err) && err != -EBUSY) {
        file_close(file);
    }
    return err;
}

int file_write(struct file *file, const struct change_queue *changes, enum anew *ret_anew)
{
    int err = write_once(file, changes, ret_anew);
    if (err < 0 && make_room(file, err)) {
        err = write_once(file, changes, ret_anew);
    }
    if (err == 0 && file->spent && !file->full) { /* it was given for something else than room */
        file_keep_reserve(file);
    }
    return err;
}
