/*
 * demand: what the VPS wants to know of a target, or wants it to be, against what was seen at an
 * address (look/sights.h). Another machine at the same address, by its MAC address,
 * was not seen.
 */
#ifndef PAMTUNNEL_GATEWAY_DEMAND_H
#define PAMTUNNEL_GATEWAY_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/why.h"
#include "gateway/failure.h"
#include "gateway/look/sights.h"

struct demand {
    unsigned kind;   /* enum tunnel_kind */
    bool look;       /* to know who it is */
    bool is_for_one; /* it has to be this one; with `look`, somebody who is known by anything */
    uint8_t identity[SIGHT_IDENTITY_SIZE];
    struct sights *sights; /* NULL if neither is wanted */
};

/* identity: NULL or zeros: anybody. */
struct demand demand_make(unsigned kind, bool look, const uint8_t *identity, struct sights *sights);
/* Targets of its kind have anything to show. Without that, the other functions see nothing. */
bool demand_can_look(const struct demand *demand);
/* Of a demand that can look. */
enum kind demand_kind(const struct demand *demand);

/* Anybody will do, or who has to be there was seen there. */
bool demand_is_met(const struct demand *demand, const struct addr *addr);
/* Moves those where it is met to the front; how many that are. */
unsigned demand_sort(const struct demand *demand, struct addr *addrs, unsigned count);
/* It is not known enough about who is there, and nobody has looked just now. */
bool demand_wants_look(const struct demand *demand, const struct addr *addr);
/* The type of host key that a look asks for first (look/host_key.h); 0: the usual one. */
unsigned demand_first_type(const struct demand *demand, const struct addr *addr);
/* A look at that address has shown this; or nothing (NULL), and why. */
void demand_note(const struct demand *demand, const struct addr *addr, const struct sight *sight,
                 const struct why *why);
/*
 * Whether it may be dialled, by what is known now: anybody will do, or it is the one; or the VPS
 * wants to know who it is, and can be told: it judges then, as a certificate may have been renewed.
 * If not, ret_failure says so.
 */
bool demand_allows(const struct demand *demand, const struct addr *addr, const char *host,
                   struct failure *ret_failure);

#endif
