/*
 * offset: how far the updates of Telegram have been dealt with, kept in the state file so
 * that no command runs twice when vps-agent restarts. Updates that were never dealt with are
 * still at Telegram, so that none is lost either.
 *
 * Numbers of updates mean something in their queue only, that of one bot at one Bot API
 * server: both stand beside the number, and that of another queue counts as none.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_OFFSET_H
#define PAMTUNNEL_VPS_TELEGRAM_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/store/state.h"
#include "vps/store/store.h"

/* What is kept about one queue. */
struct offset_kept {
    int64_t bot_id;
    int64_t next, at; /* the number, and when an update last moved it (Unix time) */
};

enum { OFFSET_KEPT_MAX = 4 };

struct offset {
    struct store *store;
    const char *api_url; /* with bot_id: whose queue it is */
    int64_t bot_id;
    int64_t next;      /* the lowest update_id that is wanted; 0: any */
    uint64_t stale_ms; /* by the monotonic clock: when `next` says nothing any more */
    unsigned kept_count;
    struct offset_kept kept[OFFSET_KEPT_MAX]; /* of bots at this server, as it was at the start */
    /* A file of before 0.2, which does not say whose the number is: it is taken for ours. */
    char old_path[STATE_DIR_MAX + sizeof "/telegram.offset"];
    struct offset_kept old;
};

/* Reads what is kept: before store_start(). store, which may be NULL, and api_url outlive it. */
void offset_init(struct offset *offset, struct store *store, const char *state_dir,
                 const char *api_url);
/* Lets go of the store. */
void offset_done(struct offset *offset);
/*
 * Takes up what is kept about the bot's queue. A number of another queue, older than six
 * days or of the future counts as none. now_unix: by the clock that offset_pass() is given,
 * Telegram's if possible.
 */
void offset_load(struct offset *offset, int64_t bot_id, int64_t now_unix);
/*
 * What to ask Telegram for. update_ids start anew, at random, after a week without
 * updates: an offset of six days ago says nothing any more.
 */
int64_t offset_get(const struct offset *offset);
/*
 * Notes that updates up to this one are dealt with. The offset has moved when this returns;
 * `done` (may be NULL) is called from the loop when a restart knows it, too, as
 * store_write() says. Fails if it never will: -ENODEV, -ENOMEM.
 */
int offset_pass(struct offset *offset, int64_t update_id, int64_t now_unix, statement_done_fn done,
                void *arg);
/* The numbers began anew: any update is wanted. */
void offset_restart(struct offset *offset);

#endif
