/*
 * recents: the machines that people were at last, by person and kind of session, so that they need
 * not type them again. In memory and in the state file; few for each, and bounded in all.
 */
#ifndef PAMTUNNEL_VPS_CHAT_RECENTS_H
#define PAMTUNNEL_VPS_CHAT_RECENTS_H

#include "shared/kind.h"
#include "vps/grant/owner.h"
#include "vps/store/store.h"

enum {
    RECENTS_EACH = 5,        /* of one person and kind */
    RECENTS_MAX = 1024,      /* of all */
    RECENTS_TARGET_MAX = 56, /* a longer one fits in no button, and is not kept */
};

struct recents;

/* Reads them. store may be NULL. NULL when out of memory. */
struct recents *recents_new(struct store *store);
/* Accepts NULL. */
void recents_free(struct recents *recents);
/*
 * This person was there. target: what is typed behind the name of the command. reason: what for, ""
 * if that was not said; it is forgotten at a restart.
 */
void recents_add(struct recents *recents, const struct owner *owner, enum kind kind,
                 const char *target, const char *reason);
/* The latest reason; "" if there is none. */
const char *recents_reason(const struct recents *recents, const struct owner *owner, enum kind kind,
                           const char *target);
/* The latest first. *at is 0 for the first one. NULL at the end. */
const char *recents_next(const struct recents *recents, const struct owner *owner, enum kind kind,
                         unsigned *at);

#endif
