/* blocklist: the parties that a person has kept out of one session. */
#ifndef PAMTUNNEL_VPS_SESSION_BLOCKLIST_H
#define PAMTUNNEL_VPS_SESSION_BLOCKLIST_H

#include <stdbool.h>

#include "base/net.h"

enum { BLOCKLIST_MAX = 16 };

/* Zero-initialised is empty. */
struct blocklist {
    struct blocked *blocked; /* NULL: nobody */
};

/* Frees what it holds. */
void blocklist_done(struct blocklist *list);
bool blocklist_has(const struct blocklist *list, const struct addr *from);
/*
 * In a full list it takes the place of the latest, so that nobody can have those before forgotten
 * by coming often. Without memory it is not kept out when it comes again, but asked about.
 */
void blocklist_add(struct blocklist *list, const struct addr *from);

#endif
