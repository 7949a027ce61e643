/*
 * offset: how far the updates of Telegram have been dealt with, kept in a file so that
 * no command runs twice when vps-agent restarts. Updates that were never dealt with are
 * still at Telegram, so that none is lost either.
 */
#ifndef PAMTUNNEL_VPS_BOT_OFFSET_H
#define PAMTUNNEL_VPS_BOT_OFFSET_H

#include <stdint.h>

#include "vps/settings.h"

struct offset {
    char path[STATE_DIR_MAX + sizeof "/telegram.offset"];
    int64_t next;         /* the lowest update_id that is wanted; 0: any */
    int64_t changed_unix; /* when an update last moved it */
};

/* Reads the file in state_dir. One that is missing or damaged counts as none. */
void offset_init(struct offset *offset, const char *state_dir);
/*
 * What to ask Telegram for. update_ids start anew, at random, after a week without
 * updates: an offset of six days ago says nothing any more.
 */
int64_t offset_get(const struct offset *offset, int64_t now_unix);
/*
 * Notes that the update is dealt with. 0 or -errno if the file could not be written;
 * the offset itself has moved in any case.
 */
int offset_pass(struct offset *offset, int64_t update_id, int64_t now_unix);

#endif
