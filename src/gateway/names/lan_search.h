/*
 * lan_search: asks the machines of the LAN for a name, by mDNS, LLMNR and NetBIOS at once, on all
 * interfaces that have neighbours. Anybody there may answer, and nobody can prove to be who they
 * say; what is looked at is that the answer is to what was asked, that its sender is in the own
 * network of that interface, and that what it gives is.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_SEARCH_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_SEARCH_H

#include <uv.h>

#include "gateway/names/lan_question.h"

enum {
    LAN_SEARCH_MS = 1000, /* as long as nobody answers */
    LAN_SEARCHES_MAX = 4, /* at once; further ones wait for their turn */
    LAN_SEARCH_TURN_MS = 3000,
    LAN_SEARCH_GRACE_MS = 100, /* from the first answer on, for somebody who says otherwise */
};

/* How many there are at once is counted here. */
struct lan_searches;
/* NULL when out of memory. */
struct lan_searches *lan_searches_new(uv_loop_t *loop);
/* Accepts NULL. No search may be left. */
void lan_searches_free(struct lan_searches *searches);

struct lan_found {
    enum lan_protocol by;
    struct addr said_by;
    unsigned count; /* 1 or more */
    struct addr addrs[LAN_ADDRS_MAX];
    struct addr rival; /* who gave another address, of the same family; AF_UNSPEC: nobody did */
};

/*
 * 0 with the first answer, -ENOENT if there was none, -EBUSY if too many others are looked for, or
 * another negative errno value. Called once, from the loop; the search is gone afterwards.
 */
typedef void (*lan_search_fn)(void *arg, int err, const struct lan_found *found);

struct lan_search;
/* The addresses will have this port. NULL when out of memory. */
struct lan_search *lan_search_start(struct lan_searches *searches, const char *name, uint16_t port,
                                    lan_search_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void lan_search_cancel(struct lan_search *search);

#endif
