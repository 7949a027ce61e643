#include "vps/session/blocklist.h"

#include <stdlib.h>

/* Most sessions block nobody, and there may be thousands: room is taken with the first. */
struct blocked {
    unsigned count;
    struct addr parties[BLOCKLIST_MAX];
};

void blocklist_done(struct blocklist *list)
{
    free(list->blocked);
}

bool blocklist_has(const struct blocklist *list, const struct addr *from)
{
    const struct blocked *blocked = list->blocked;
    unsigned i = 0;
    while (blocked && i < blocked->count && !addr_same_party(&blocked->parties[i], from)) {
        i++;
    }
    return blocked && i < blocked->count;
}

void blocklist_add(struct blocklist *list, const struct addr *from)
{
    struct blocked *blocked = list->blocked;
    if (!blocked) {
        blocked = list->blocked = calloc(1, sizeof *blocked);
    }
    if (blocked) {
        bool full = blocked->count == BLOCKLIST_MAX;
        blocked->parties[full ? BLOCKLIST_MAX - 1 : blocked->count++] = *from;
    }
}
