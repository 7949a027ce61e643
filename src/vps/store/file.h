/*
 * file: the database of a store with what may befall it, for the thread that writes: it cannot be
 * opened now, it is damaged and put aside, it was taken away. 0 or -errno, as database_open() has
 * them.
 */
#ifndef PAMTUNNEL_VPS_STORE_FILE_H
#define PAMTUNNEL_VPS_STORE_FILE_H

#include "base/why.h"
#include "vps/store/chain.h"
#include "vps/store/change_queue.h"
#include "vps/store/database.h"

/* Why there is another file than before, or (ALTERED) another end of its chain. */
enum anew { ANEW_NOT, ANEW_DAMAGED, ANEW_GONE, ANEW_ALTERED };

struct file {
    const char *path;
    const char *const *migrations;
    unsigned schema;
    const char *reserve;        /* what to give up when the disk is full; NULL: nothing */
    struct database *database;  /* NULL: cannot be opened */
    struct chain_head head;     /* as it was last seen, */
    bool known;                 /* in the file that is open */
    enum anew unsaid;           /* the chain has yet to tell */
    bool suspect;               /* something met damage in it; */
    bool condemned;             /* and again, after it was looked through whole */
    struct chain_head doubtful; /* where the chain ends if a commit that failed was none the less */
    bool doubts;                /* there is such a one */
    bool full;                  /* the disk, but for what was kept in reserve */
    bool spent;                 /* the reserve was given up, and is not back */
};

/*
 * Opens it, and begins it anew if it is damaged: then *ret_anew says so, as does the first row of
 * its chain.
 */
int file_open(struct file *file, enum anew *ret_anew, struct why *why);
/*
 * Makes all changes in one transaction, or none of them: one attempt. Each has its err. Opens the
 * file first if it is to be opened.
 */
int file_write(struct file *file, const struct change_queue *changes, enum anew *ret_anew);
/* Makes the reserve, if it is not there: as long as the disk has no room for it, it is full. */
void file_keep_reserve(struct file *file);
void file_close(struct file *file);

#endif
