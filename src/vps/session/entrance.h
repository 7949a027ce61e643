/*
 * entrance: one port for all sessions beside their own (ENTRANCE_PORT), for networks that let out
 * 443 and little else. It looks at what a client says first, and takes nothing: whose it is goes to
 * the door of that session, untouched, and everything there is as if it had come there.
 *
 * Nobody is asked about who comes here: the whole Internet does, at such a port.
 */
#ifndef PAMTUNNEL_VPS_SESSION_ENTRANCE_H
#define PAMTUNNEL_VPS_SESSION_ENTRANCE_H

#include "base/why.h"
#include "vps/session/services.h"

struct entrance;
struct table;

/* What becomes of who comes. */
enum entrance_result {
    ENTRANCE_TAKEN,     /* by its session */
    ENTRANCE_NOBODYS,   /* of no session */
    ENTRANCE_SEVERAL,   /* it could be of several */
    ENTRANCE_LEFT,      /* it hung up, perhaps in the middle */
    ENTRANCE_MADE_ROOM, /* for another one */
    ENTRANCE_RESULTS,
};
/* For programs: "made_room". */
const char *entrance_word(enum entrance_result result);

enum { ENTRANCE_STRANGERS_MAX = 64, ENTRANCE_EXPECTED_MAX = 32 };

/* Listens at the port of the settings. 0, or -errno with why. Services and table outlive it. */
int entrance_new(struct services *services, const struct table *table,
                 struct entrance **ret_entrance, struct why *why);
/* How many so far: ENTRANCE_RESULTS of them. */
const uint64_t *entrance_counts(const struct entrance *entrance);
/* Closes the port, and sends off who has not gone on. Accepts NULL. */
void entrance_free(struct entrance *entrance);

#endif
