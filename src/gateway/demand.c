#include "gateway/demand.h"

#include <string.h>

#include "gateway/look/look.h"
#include "gateway/neighbours.h"

struct demand demand_make(unsigned kind, bool look, const uint8_t *identity, struct sights *sights)
{
    static const uint8_t ANYBODY[SIGHT_IDENTITY_SIZE];
    struct demand demand = {.kind = kind, .look = look, .sights = sights};
    if (identity) {
        memcpy(demand.identity, identity, sizeof demand.identity);
        demand.is_for_one = memcmp(identity, ANYBODY, sizeof ANYBODY) != 0;
    }
    return demand;
}

bool demand_can_look(const struct demand *demand)
{
    return demand->kind >= TUNNEL_KIND_FIRST && demand->kind - TUNNEL_KIND_FIRST < KIND_COUNT &&
           look_is_possible(demand_kind(demand));
}

enum kind demand_kind(const struct demand *demand)
{
    return (enum kind)(demand->kind - TUNNEL_KIND_FIRST);
}

static const struct sight *find(const struct demand *demand, const struct addr *addr)
{
    uint8_t mac[MAC_SIZE] = {0};
    if (!demand_can_look(demand)) {
        return NULL;
    }
    neighbours_mac(addr, mac);
    return sights_find(demand->sights, addr, demand_kind(demand), mac);
}

bool demand_is_met(const struct demand *demand, const struct addr *addr)
{
    if (!demand->is_for_one) {
        return true;
    }
    const struct sight *sight = find(demand, addr);
    return sight && memcmp(sight->identity, demand->identity, sizeof demand->identity) == 0;
}

unsigned demand_sort(const struct demand *demand, struct addr *addrs, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (demand_is_met(demand, &addrs[i])) {
            struct addr known = addrs[i];
            addrs[i] = addrs[n];
            addrs[n++] = known;
        }
    }
    return n;
}

static bool was_just_looked_at(const struct demand *demand, const struct addr *addr)
{
    uint8_t mac[MAC_SIZE] = {0};
    neighbours_mac(addr, mac);
    return sights_fresh(demand->sights, addr, demand_kind(demand), mac);
}

bool demand_wants_look(const struct demand *demand, const struct addr *addr)
{
    if (!demand_can_look(demand)) {
        return false;
    }
    if (demand->is_for_one) {
        return !demand_is_met(demand, addr) && !was_just_looked_at(demand, addr);
    }
    return demand->look && !find(demand, addr) &&
           !sights_blind(demand->sights, addr, demand_kind(demand));
}

unsigned demand_first_type(const struct demand *demand, const struct addr *addr)
{
    return demand->is_for_one ? sights_host_key_type(demand->sights, addr) : 0;
}

void demand_note(const struct demand *demand, const struct addr *addr, const struct sight *sight,
                 const struct why *why)
{
    uint8_t mac[MAC_SIZE] = {0};
    neighbours_mac(addr, mac);
    sights_note(demand->sights, addr, demand_kind(demand), mac, sight, why);
}

/* Without anything that it showed: why not? */
static const char *why_nothing(const struct demand *demand, const struct addr *addr)
{
    if (!demand_can_look(demand)) {
        return "sessions of this kind have nothing to show";
    }
    const char *why = sights_blind(demand->sights, addr, demand_kind(demand));
    return why ? why : "nobody has looked at it";
}

bool demand_allows(const struct demand *demand, const struct addr *addr, const char *host,
                   struct failure *ret_failure)
{
    char demanded[SIGHT_TEXT_MAX], shown[SIGHT_TEXT_MAX];
    const struct sight *sight = find(demand, addr);
    if (demand_is_met(demand, addr) || (sight && demand->look)) {
        return true;
    }
    sight_text(demand->identity, demanded);
    *ret_failure = sight ? failure_make(TUNNEL_IDENTITY, "%.60s shows %s, and has to show %s", host,
                                        sight_text(sight->identity, shown), demanded)
                         : failure_make(TUNNEL_IDENTITY, "%.60s has to show %s, but %.72s", host,
                                        demanded, why_nothing(demand, addr));
    return false;
}
