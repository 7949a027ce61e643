/*
 * macs: which machine has which MAC address, so that it can be woken: what gateways have said of
 * targets that answered, kept in the state file.
 */
#ifndef PAMTUNNEL_VPS_WAKING_MACS_H
#define PAMTUNNEL_VPS_WAKING_MACS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/log.h"
#include "base/mac.h"
#include "shared/gateway_name.h"
#include "vps/store/store.h"

/* The one that was not heard of for the longest time makes room. */
enum { MACS_MAX = 1024 };

/* A machine is a host as it is asked of its gateway; upper and lower case are the same. */
struct mac_entry {
    char gateway[GATEWAY_NAME_MAX + 1];
    char host[HOST_MAX + 1];
    uint8_t mac[MAC_SIZE];
    uint16_t port; /* at which it answered last */
    int64_t since; /* Unix time: it was seen with this one first */
    int64_t seen;  /* and last, give or take a day */
};

struct macs;

/* Reads what is kept, before store_start(); store may be NULL. NULL when out of memory. */
struct macs *macs_new(struct store *store);
/* Accepts NULL. */
void macs_free(struct macs *macs);

/* It has answered just now. A MAC address that is nobody's own is not kept. True: it is news. */
bool macs_learn(struct macs *macs, const struct mac_entry *entry);
/* NULL: none is known. */
const struct mac_entry *macs_find(const struct macs *macs, const char *gateway, const char *host);
/* The n-th of them from 0, in no order. NULL behind the last one. */
const struct mac_entry *macs_at(const struct macs *macs, unsigned number);

#endif
