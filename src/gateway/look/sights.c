#include "gateway/look/sights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/look/host_key.h"

struct looked {
    struct addr target;
    enum kind kind;
    char blind[80]; /* why it showed nothing; "": it did */
    uint8_t mac[MAC_SIZE];
    uint64_t when_ms;
    struct sight sight;
};

/* In no order, as in reachable.c. */
struct sights {
    unsigned count;
    struct looked all[SIGHTS_MAX];
};

struct sights *sights_new(void)
{
    return calloc(1, sizeof(struct sights));
}

void sights_free(struct sights *sights)
{
    free(sights);
}

/* Its place, or where the count ends. */
static unsigned find(const struct sights *sights, const struct addr *target, enum kind kind)
{
    unsigned i = 0;
    while (i < sights->count && !(addr_same_host(&sights->all[i].target, target) &&
                                  addr_port(&sights->all[i].target) == addr_port(target) &&
                                  sights->all[i].kind == kind)) {
        i++;
    }
    return i;
}

static unsigned oldest(const struct sights *sights)
{
    unsigned best = 0;
    for (unsigned i = 1; i < sights->count; i++) {
        if (sights->all[i].when_ms < sights->all[best].when_ms) {
            best = i;
        }
    }
    return best;
}

void sights_note(struct sights *sights, const struct addr *target, enum kind kind,
                 const uint8_t mac[MAC_SIZE], const struct sight *sight, const struct why *why)
{
    unsigned at = find(sights, target, kind);
    /* find() returned the count, and all places are taken. */
    if (at == SIGHTS_MAX) {
        at = oldest(sights);
    } else if (at == sights->count) {
        sights->count++;
    }
    struct looked *looked = &sights->all[at];
    *looked = (struct looked){.target = *target, .kind = kind, .when_ms = clock_ms()};
    memcpy(looked->mac, mac, sizeof looked->mac);
    if (sight) {
        looked->sight = *sight;
    } else {
        snprintf(looked->blind, sizeof looked->blind, "%.79s", why->text);
    }
}

static const struct looked *find_since(const struct sights *sights, const struct addr *target,
                                       enum kind kind, uint64_t ms)
{
    unsigned at = find(sights, target, kind);
    return at < sights->count && clock_ms() - sights->all[at].when_ms < ms ? &sights->all[at]
                                                                           : NULL;
}

static bool may_be_one(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE])
{
    static const uint8_t UNKNOWN[MAC_SIZE];
    return memcmp(a, UNKNOWN, MAC_SIZE) == 0 || memcmp(b, UNKNOWN, MAC_SIZE) == 0 ||
           memcmp(a, b, MAC_SIZE) == 0;
}

const struct sight *sights_find(const struct sights *sights, const struct addr *target,
                                enum kind kind, const uint8_t mac[MAC_SIZE])
{
    uint64_t ms = kind == KIND_SSH ? SIGHT_HOST_KEY_MS : SIGHT_CERTIFICATE_MS;
    const struct looked *looked = find_since(sights, target, kind, ms);
    return looked && !looked->blind[0] && may_be_one(looked->mac, mac) ? &looked->sight : NULL;
}

const char *sights_blind(const struct sights *sights, const struct addr *target, enum kind kind)
{
    const struct looked *looked = find_since(sights, target, kind, BLIND_MS);
    return looked && looked->blind[0] ? looked->blind : NULL;
}

bool sights_fresh(const struct sights *sights, const struct addr *target, enum kind kind,
                  const uint8_t mac[MAC_SIZE])
{
    const struct looked *looked = find_since(sights, target, kind, SIGHT_FRESH_MS);
    return looked && may_be_one(looked->mac, mac);
}

unsigned sights_host_key_type(const struct sights *sights, const struct addr *target)
{
    unsigned at = find(sights, target, KIND_SSH);
    return at < sights->count ? host_key_type(sights->all[at].sight.host_key) : 0;
}
