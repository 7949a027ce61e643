/*
 * reverse: the name of a client's address, from its reverse zone. Whoever owns the
 * address can write any name there, so it counts only if that name's own addresses
 * include this one. Strangers can also see to it that the answer takes long: a desk
 * looks up few names at a time, and nobody should wait for one.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_REVERSE_H
#define PAMTUNNEL_VPS_ADMISSION_REVERSE_H

#include <uv.h>

#include "base/net.h"

enum { REVERSE_NAME_SIZE = 81, REVERSE_AT_ONCE = 2 };

struct reverse_desk;
struct reverse;
/* A confirmed name of [A-Za-z0-9._-]. Not called if there is none. */
typedef void (*reverse_fn)(void *arg, const char *name);

/* NULL when out of memory. */
struct reverse_desk *reverse_desk_new(uv_loop_t *loop);
/* Look-ups that still run end by themselves, unheard. Accepts NULL. */
void reverse_desk_free(struct reverse_desk *desk);

/* NULL for an address that the world has no names for, and if too many run already. */
struct reverse *reverse_start(struct reverse_desk *desk, const struct addr *addr, reverse_fn fn,
                              void *arg);
/* The callback will not run any more. Accepts NULL. */
void reverse_free(struct reverse *reverse);

#endif
