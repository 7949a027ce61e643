/*
 * writer: the thread that writes changes into the file, what waits for it, and the lock between it
 * and the loop. What cannot be written stays, and is tried again, less and less often.
 *
 * The loop's functions take the lock for moments; none of them waits for the disk but
 * writer_open(), writer_read() and writer_free().
 */
#ifndef PAMTUNNEL_VPS_STORE_WRITER_H
#define PAMTUNNEL_VPS_STORE_WRITER_H

#include "base/why.h"
#include "vps/store/chain.h"
#include "vps/store/change_queue.h"
#include "vps/store/file.h"
#include "vps/store/statement.h"

struct writer;

/* How the file is, since it was asked the last time. */
struct writer_news {
    int trouble;    /* why nothing can be written; 0: all is well */
    bool full;      /* the disk, but for the reserve, which what is written goes into */
    enum anew anew; /* the last that befell it */
    unsigned lost;  /* changes for which there was no room */
};

/* Of a file that is not open yet; what it names outlives the writer. NULL: no memory. */
struct writer *writer_new(const struct file *file);
/* Opens the file: 0, or -errno with why as store_open() has it, and it is tried again later. */
int writer_open(struct writer *writer, enum anew *ret_anew, struct why *why);
/* Before writer_start(). 0 or -errno; without a file there are no rows. */
int writer_read(struct writer *writer, const struct statement *statement, row_fn fn, void *arg);
/* Starts the thread. 0 or -errno. */
int writer_start(struct writer *writer);

/*
 * Takes a change of change_new(): 0. It is written with all others at the next writer_hurry(), or
 * earlier. Of too many the oldest one is lost, and its owner told so.
 * Chained ones are not lost: -ENOSPC, and it is not taken, while too many wait.
 */
int writer_add(struct writer *writer, struct change *change);
/* What waits is written now. */
void writer_hurry(struct writer *writer);
/* Where the chain ends, of what owners have been or are being told of. */
struct chain_head writer_head(struct writer *writer);
/* The callbacks of this owner do not run any more. */
void writer_detach(struct writer *writer, const void *arg);
/* Has the news, and calls whoever is to be told of a change, who may add and detach. */
struct writer_news writer_tell(struct writer *writer);
/* How it is at this moment. */
struct writer_view {
    unsigned plain, chained; /* changes that are not written yet */
    uint64_t delay_us;       /* of the oldest of them, or else of the last that was written */
    int trouble;             /* why nothing can be written; 0: all is well */
};
struct writer_view writer_view(struct writer *writer);
/* Readable when there may be news, until writer_tell(). The writer's. */
int writer_news_fd(const struct writer *writer);
/* Writes what waits, if it can be written now, and ends the thread. Accepts NULL. */
void writer_free(struct writer *writer);

#endif
