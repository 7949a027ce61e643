/*
 * gateways_discovery: which machines answer in a gateway's network, as the gateway says: if its own
 * settings allow that it is asked. Bounded in number and time, and each one is recorded before
 * anybody is told of it.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_DISCOVERY_H
#define PAMTUNNEL_VPS_GATEWAYS_GATEWAYS_DISCOVERY_H

#include "vps/gateways/gateways.h"

enum {
    DISCOVERIES_MAX = 4, /* at once */
    DISCOVERY_MACHINES_MAX = 64,
    DISCOVERY_WAIT_MS = 6000, /* for a gateway; it asks for two seconds */
};

struct discovery_machine {
    char name[63 + 1];    /* a valid host name */
    char address[63 + 1]; /* a valid address */
    unsigned found_by;    /* enum tunnel_found_by */
};

struct discovery_result {
    const char *gateway;
    const struct owner *by;
    const char *failure; /* a sentence; NULL: there was none */
    const struct discovery_machine *machines;
    unsigned count;
};

/* Called once, from the loop, unless it is cancelled or the gateways go before; it is gone then. */
typedef void (*discovery_fn)(void *arg, const struct discovery_result *result);

struct discovery;
/*
 * Asks the gateway of this name, or the only one if that is "". ret_discovery may be NULL. 0, or
 * -errno with a sentence in why: as gateways_pick(); -EPROTONOSUPPORT, it is of an older version;
 * -EBUSY, too many at once.
 */
int gateways_discover(struct gateways *gateways, const char *name, const struct owner *by,
                      discovery_fn fn, void *arg, struct discovery **ret_discovery,
                      struct why *why);
/* The callback will not run. Accepts NULL. */
void discovery_cancel(struct discovery *discovery);

/* What gateways say to that. */
void gateways_heard(struct gateways *gateways, const char *gateway,
                    const struct message_found *found);
/* All of them are cancelled. */
void gateways_end_discoveries(struct gateways *gateways);

#endif
