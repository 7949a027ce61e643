/*
 * demand: what the VPS wants to know of a target, or wants it to be, against what was seen at an
 * address within a day (look/sights.h). Another machine at the same address, by its MAC address,
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
/* It is not known enough about who is there. */
bool demand_wants_look(const struct demand *demand, const struct addr *addr);
/* A look at that address has shown this, or nothing (NULL). */
void demand_note(const struct demand *demand, const struct addr *addr, const struct sight *sight);
/* What is said of a target that shows somebody else; of one that shows nothing, sight is NULL. */
struct failure demand_failure(const struct demand *demand, const char *host,
                              const struct sight *sight, const struct why *why);

#endif
