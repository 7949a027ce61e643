/*
 * knocks: how many unknown clients came to a door, and from which networks, for a line
 * in the log and in the chat. It takes the same memory however many they are.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_KNOCKS_H
#define PAMTUNNEL_VPS_ADMISSION_KNOCKS_H

#include "vps/grant/parked.h"

enum { KNOCKS_NETWORKS = 32 };

/* Zero-initialised is ready for use. */
struct knocks {
    unsigned clients;
    unsigned networks; /* kept apart; never more than KNOCKS_NETWORKS */
    bool more;         /* there were more networks than that */
    struct {
        struct addr from; /* one client of that network */
        unsigned clients;
    } by_network[KNOCKS_NETWORKS];
};

/* One more client, from there. */
void knocks_count(struct knocks *knocks, const struct addr *from);
/* Fills in who they are. */
void knocks_sum_up(const struct knocks *knocks, struct knocking *ret_knocking);

#endif
