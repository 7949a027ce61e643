#include "vps/admission/known.h"

#include <stdlib.h>
#include <string.h>

struct known {
    unsigned count;
    struct {
        struct owner owner;
        struct addr addr;
    } entries[KNOWN_MAX]; /* the most recent one first */
};

struct known *known_new(void)
{
    return calloc(1, sizeof(struct known));
}

void known_free(struct known *known)
{
    free(known);
}

static unsigned find(const struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned i = 0;
    while (i < known->count && !(owner_equal(&known->entries[i].owner, owner) &&
                                 addr_same_party(&known->entries[i].addr, addr))) {
        i++;
    }
    return i;
}

void known_add(struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned at = find(known, owner, addr);
    if (at == known->count && known->count < KNOWN_MAX) {
        known->count++;
    }
    if (at == KNOWN_MAX) {
        at = KNOWN_MAX - 1; /* the oldest makes room */
    }
    memmove(&known->entries[1], &known->entries[0], at * sizeof known->entries[0]);
    known->entries[0].owner = *owner;
    known->entries[0].addr = *addr;
}

bool known_has(const struct known *known, const struct owner *owner, const struct addr *addr)
{
    return find(known, owner, addr) < known->count;
}

unsigned known_forget(struct known *known, const struct owner *owner, const struct addr *addr)
{
    unsigned kept = 0, before = known->count;
    for (unsigned i = 0; i < before; i++) {
        bool is_it = (!owner || owner_equal(&known->entries[i].owner, owner)) &&
                     addr_same_party(&known->entries[i].addr, addr);
        if (!is_it) {
            known->entries[kept++] = known->entries[i];
        }
    }
    known->count = kept;
    return before - kept;
}
