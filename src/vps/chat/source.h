/*
 * source: where a session's client comes from, with the name of that address, if it has one that
 * leads back to it. It is shown beside the address, and nothing goes by it.
 */
#ifndef PAMTUNNEL_VPS_CHAT_SOURCE_H
#define PAMTUNNEL_VPS_CHAT_SOURCE_H

#include "base/net.h"
#include "base/resolve.h"

enum { SOURCE_LOOK_UPS_MAX = 4 }; /* of all cards, at once */

/* Embedded in a card. Zero-initialised but for the first three, which outlive it. */
struct source {
    struct resolver *names; /* NULL: names are not looked up */
    void (*found)(void *arg);
    void *arg;
    struct addr client;
    bool has_client;
    struct resolve *look_up;
    char name[RESOLVE_NAME_SIZE]; /* "" until it is found */
};

/* It comes from there. Looks its name up, and calls found() if it has one, later, from the loop. */
void source_set(struct source *source, const struct addr *client);
void source_done(struct source *source);

#endif
