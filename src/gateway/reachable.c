#include "gateway/reachable.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

struct answer {
    struct addr target;
    uint64_t when_ms;
};

/* In no order. A look goes through all of them, and there is one for each session. */
struct reachable {
    unsigned count;
    struct answer answers[REACHABLE_MAX];
};

struct reachable *reachable_new(void)
{
    return calloc(1, sizeof(struct reachable));
}

void reachable_free(struct reachable *reachable)
{
    free(reachable);
}

/* Its place, or where the count ends. */
static unsigned find(const struct reachable *reachable, const struct addr *target)
{
    unsigned i = 0;
    while (i < reachable->count &&
           !(addr_same_host(&reachable->answers[i].target, target) &&
             addr_port(&reachable->answers[i].target) == addr_port(target))) {
        i++;
    }
    return i;
}

static unsigned oldest(const struct reachable *reachable)
{
    unsigned best = 0;
    for (unsigned i = 1; i < reachable->count; i++) {
        if (reachable->answers[i].when_ms < reachable->answers[best].when_ms) {
            best = i;
        }
    }
    return best;
}

void reachable_note(struct reachable *reachable, const struct addr *target)
{
    unsigned at = find(reachable, target);
    if (at == REACHABLE_MAX) {
        at = oldest(reachable);
    } else if (at == reachable->count) {
        reachable->count++;
    }
    reachable->answers[at] = (struct answer){.target = *target, .when_ms = clock_ms()};
}

void reachable_forget(struct reachable *reachable, const struct addr *target)
{
    unsigned at = find(reachable, target);
    if (at < reachable->count) {
        reachable->answers[at] = reachable->answers[--reachable->count];
    }
}

bool reachable_lately(const struct reachable *reachable, const struct addr *target)
{
    unsigned at = find(reachable, target);
    return at < reachable->count && clock_ms() - reachable->answers[at].when_ms < REACHABLE_MS;
}
