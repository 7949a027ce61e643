/*
 * sights: what targets showed of themselves, by address, port and kind, for a day: so that each is
 * looked at once a day and not more often, since some count a look as a failed login.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_SIGHTS_H
#define PAMTUNNEL_GATEWAY_LOOK_SIGHTS_H

#include <stdbool.h>

#include "base/mac.h"
#include "base/net.h"
#include "gateway/look/sight.h"
#include "shared/kind.h"

enum {
    SIGHTS_MAX = 256, /* targets; the oldest one makes room */
    SIGHT_MS = 24 * 60 * 60 * 1000,
    BLIND_MS = 10 * 60 * 1000, /* after which a look that showed nothing is worth another */
};

struct sights;

/* NULL when out of memory. */
struct sights *sights_new(void);
/* Accepts NULL. */
void sights_free(struct sights *sights);

/*
 * It was looked at just now, and showed this, or nothing (NULL). mac is of the machine at that
 * address, zeros: not known; of two that are known and differ, one is another machine.
 */
void sights_note(struct sights *sights, const struct addr *target, enum kind kind,
                 const uint8_t mac[MAC_SIZE], const struct sight *sight);
/* What it showed last, within SIGHT_MS, until the next note; NULL: nothing, or nobody looked. */
const struct sight *sights_find(const struct sights *sights, const struct addr *target,
                                enum kind kind, const uint8_t mac[MAC_SIZE]);
/* It was looked at within the last BLIND_MS, and showed nothing. */
bool sights_blind(const struct sights *sights, const struct addr *target, enum kind kind);

#endif
