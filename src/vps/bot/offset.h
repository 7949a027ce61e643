/*
 * offset: how far the updates of Telegram have been dealt with, kept in a file so that
 * no command runs twice when vps-agent restarts. Updates that were never dealt with are
 * still at Telegram, so that none is lost either.
 *
 * Numbers of updates mean something in their queue only, that of one bot at one Bot API
 * server: both stand beside the number, and that of another queue counts as none.
 */
#ifndef PAMTUNNEL_VPS_BOT_OFFSET_H
#define PAMTUNNEL_VPS_BOT_OFFSET_H

#include <stdint.h>

#include "vps/settings.h"

struct offset {
    char path[STATE_DIR_MAX + sizeof "/telegram.offset"];
    const char *api_url; /* with bot_id: whose queue it is */
    int64_t bot_id;
    int64_t next;      /* the lowest update_id that is wanted; 0: any */
    uint64_t stale_ms; /* by the monotonic clock: when `next` says nothing any more */
};

/* api_url outlives it. */
void offset_init(struct offset *offset, const char *state_dir, const char *api_url);
/*
 * Reads what is kept about the bot's queue. A file that is missing, damaged, of another
 * queue, older than six days or of the future counts as none. now_unix: by the clock that
 * offset_pass() is given, Telegram's if possible.
 */
void offset_load(struct offset *offset, int64_t bot_id, int64_t now_unix);
/*
 * What to ask Telegram for. update_ids start anew, at random, after a week without
 * updates: an offset of six days ago says nothing any more.
 */
int64_t offset_get(const struct offset *offset);
/*
 * Notes that the update is dealt with. 0 or -errno if the file could not be written;
 * the offset itself has moved in any case.
 */
int offset_pass(struct offset *offset, int64_t update_id, int64_t now_unix);
/* The numbers began anew: any update is wanted. */
void offset_restart(struct offset *offset);

#endif
