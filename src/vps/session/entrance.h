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

enum { ENTRANCE_STRANGERS_MAX = 64, ENTRANCE_EXPECTED_MAX = 32 };

/* Listens at the port of the settings. 0, or -errno with why. Services and table outlive it. */
int entrance_new(struct services *services, const struct table *table,
                 struct entrance **ret_entrance, struct why *why);
/* Closes the port, and sends off who has not gone on. Accepts NULL. */
void entrance_free(struct entrance *entrance);

#endif
