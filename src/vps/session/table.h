/*
 * table: where sessions stand: in a list, in the order of opening, and in buckets, by the number
 * that gateways know them by. Both run through the sessions themselves (session_links()), so that
 * the table needs no memory for one.
 *
 * A session that has ended stays in the table until it is taken out: it may end inside any call,
 * while somebody further up still looks at it. Until then nobody finds it.
 */
#ifndef PAMTUNNEL_VPS_SESSION_TABLE_H
#define PAMTUNNEL_VPS_SESSION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "vps/grant/owner.h"
#include "vps/session/session.h"

/* Sessions linger for RECONNECT_GRACE, so that there may be thousands. */
enum { TABLE_BUCKETS = 256 };

/* In its owner's struct, which does not move: table_init(), and empty at the end. */
struct table {
    struct session *list, **list_end;
    struct session *by_number[TABLE_BUCKETS];
    unsigned live; /* those that have not ended */
};

void table_init(struct table *table);
void table_add(struct table *table, struct session *session);
/* To be called once for each that ends. */
void table_count_out(struct table *table);
/*
 * Takes out all that have ended, whose caller frees them: the first one, and the others by
 * session_links()->next. NULL if there is none.
 */
struct session *table_take_ended(struct table *table);

/* One after the other in the order of opening: NULL to start, NULL at the end. */
struct session *table_next(const struct table *table, const struct session *after);
/* By its id; by its number; by that, if it goes through that gateway. Or NULL. */
struct session *table_find(const struct table *table, const char *id);
struct session *table_of_number(const struct table *table, uint64_t number);
struct session *table_of_gateway(const struct table *table, const char *gateway, uint64_t number);
unsigned table_count_of(const struct table *table, const struct owner *owner);

#endif
