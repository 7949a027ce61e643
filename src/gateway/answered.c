#include "gateway/answered.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"

struct answer {
    struct addr target;
    uint64_t when_ms;
};

/* In no order. A look goes through all of them, and there is one for each session. */
struct answered {
    unsigned count;
    struct answer answers[ANSWERED_MAX];
};

struct answered *answered_new(void)
{
    return calloc(1, sizeof(struct answered));
}

void answered_free(struct answered *answered)
{
    free(answered);
}

/* Its place, or where the count ends. */
static unsigned find(const struct answered *answered, const struct addr *target)
{
    unsigned i = 0;
    while (i < answered->count && !(addr_same_host(&answered->answers[i].target, target) &&
                                    addr_port(&answered->answers[i].target) == addr_port(target))) {
        i++;
    }
    return i;
}

static unsigned oldest(const struct answered *answered)
{
    unsigned best = 0;
    for (unsigned i = 1; i < answered->count; i++) {
        if (answered->answers[i].when_ms < answered->answers[best].when_ms) {
            best = i;
        }
    }
    return best;
}

void answered_note(struct answered *answered, const struct addr *target)
{
    unsigned at = find(answered, target);
    /* find() returned the count, and all places are taken. */
    if (at == ANSWERED_MAX) {
        at = oldest(answered);
    } else if (at == answered->count) {
        answered->count++;
    }
    answered->answers[at] = (struct answer){.target = *target, .when_ms = clock_ms()};
}

void answered_forget(struct answered *answered, const struct addr *target)
{
    unsigned at = find(answered, target);
    if (at < answered->count) {
        answered->answers[at] = answered->answers[--answered->count];
    }
}

bool answered_lately(const struct answered *answered, const struct addr *target)
{
    unsigned at = find(answered, target);
    return at < answered->count && clock_ms() - answered->answers[at].when_ms < ANSWERED_MS;
}
