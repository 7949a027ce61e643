/*
 * sights: what targets showed of themselves, by address, port and kind, for as long as that counts.
 * A host key counts for a day, so that each target is looked at once a day and not more often,
 * since some count a look as a failed login; and whoever logs in somewhere else finds out, since
 * ssh compares by itself. A certificate counts for a minute: a client of Remote Desktop does not
 * compare, its user seldom, and nobody counts handshakes.
 */
#ifndef PAMTUNNEL_GATEWAY_LOOK_SIGHTS_H
#define PAMTUNNEL_GATEWAY_LOOK_SIGHTS_H

#include <stdbool.h>

#include "base/mac.h"
#include "base/net.h"
#include "base/why.h"
#include "gateway/look/sight.h"
#include "shared/kind.h"

enum {
    SIGHTS_MAX = 256, /* targets; the oldest one makes room */
    SIGHT_HOST_KEY_MS = 24 * 60 * 60 * 1000,
    SIGHT_CERTIFICATE_MS = 60 * 1000,
    BLIND_MS = 10 * 60 * 1000,  /* after which a look that showed nothing is worth another */
    SIGHT_FRESH_MS = 15 * 1000, /* before which no look is worth another, whatever it showed: so few
                                   are none too many for sshd (PerSourcePenalties) */
};

struct sights;

/* NULL when out of memory. */
struct sights *sights_new(void);
/* Accepts NULL. */
void sights_free(struct sights *sights);

/*
 * It was looked at just now, and showed this; or nothing (NULL), and `why` says so. mac is of the
 * machine at that address, zeros: not known; of two that are known and differ, one is another
 * machine.
 */
void sights_note(struct sights *sights, const struct addr *target, enum kind kind,
                 const uint8_t mac[MAC_SIZE], const struct sight *sight, const struct why *why);
/* What it showed last, if that counts, until the next note; NULL: nothing, or nobody looked. */
const struct sight *sights_find(const struct sights *sights, const struct addr *target,
                                enum kind kind, const uint8_t mac[MAC_SIZE]);
/* Why it showed nothing, within the last BLIND_MS; NULL: it did, or nobody looked. */
const char *sights_blind(const struct sights *sights, const struct addr *target, enum kind kind);

/* It was looked at within the last SIGHT_FRESH_MS, whatever it showed. */
bool sights_fresh(const struct sights *sights, const struct addr *target, enum kind kind,
                  const uint8_t mac[MAC_SIZE]);
/* The type of host key that it showed last, however long ago (host_key.h); 0: none. */
unsigned sights_host_key_type(const struct sights *sights, const struct addr *target);

#endif
