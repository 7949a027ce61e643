/*
 * lan_browse: which machines are in the networks that this one is in, as far as they say so:
 * their services and names by mDNS, and their NetBIOS names. As with lan_search.h, nothing of it is
 * proven, and only neighbours are heard.
 */
#ifndef PAMTUNNEL_GATEWAY_NAMES_LAN_BROWSE_H
#define PAMTUNNEL_GATEWAY_NAMES_LAN_BROWSE_H

#include <uv.h>

#include "gateway/names/lan_listing.h"

enum { LAN_BROWSE_MS = 2000, LAN_BROWSE_MAX = 64 /* names */ };

struct lan_browsed {
    enum lan_protocol by;
    char name[LAN_NAME_SIZE];
    struct addr addr;
};

/* After LAN_BROWSE_MS, from the loop, with no name and address twice. The browse is gone then. */
typedef void (*lan_browse_fn)(void *arg, const struct lan_browsed *found, unsigned count);

struct lan_browse;
/* NULL when out of memory. */
struct lan_browse *lan_browse_start(uv_loop_t *loop, lan_browse_fn fn, void *arg);
/* The callback will not run. Accepts NULL. */
void lan_browse_cancel(struct lan_browse *browse);

#endif
