/* wakings: what is known of machines that sleep: how each can be woken. */
#ifndef PAMTUNNEL_VPS_WAKING_WAKINGS_H
#define PAMTUNNEL_VPS_WAKING_WAKINGS_H

#include "base/log.h"
#include "vps/session/sessions.h"
#include "vps/waking/macs.h"

struct wakings;

/* All of it outlives the wakings. */
struct wakings_options {
    const struct log *log;
    struct store *store; /* may be NULL; not started yet */
    struct sessions *sessions;
};

/* 0 or -errno. */
int wakings_new(const struct wakings_options *options, struct wakings **ret_wakings);
/* Accepts NULL. */
void wakings_free(struct wakings *wakings);

/* What has been learnt. */
const struct macs *wakings_macs(const struct wakings *wakings);

#endif
