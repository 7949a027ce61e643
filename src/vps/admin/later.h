/*
 * later: an answer to pamctl that takes a while, and belongs to whoever works on it. It is given
 * once, or its client leaves before, which ends the work.
 */
#ifndef PAMTUNNEL_VPS_ADMIN_LATER_H
#define PAMTUNNEL_VPS_ADMIN_LATER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/lines.h"
#include "base/list.h"

/* Of one admin socket. */
struct laters {
    struct list list;
    /* at_once: it tells of nothing that was done, and need not wait until that is on the disk. */
    void (*say)(void *arg, struct lines_client *client, json_t *reply, bool at_once);
    void *arg;
};

struct later;

/* gone: the client has left, or the agent stops; the later is gone. NULL when out of memory. */
struct later *later_new(struct laters *laters, struct lines_client *client, void (*gone)(void *arg),
                        void *arg);
/* Answers, and takes over the reply; the later is gone. */
void later_say(struct later *later, json_t *reply);
/* The same with what was read, and tells of nothing that was done: no disk is waited for. */
void later_say_at_once(struct later *later, json_t *reply);

/* The client has left; NULL: all have. */
void laters_end(struct laters *laters, const struct lines_client *client);

#endif
