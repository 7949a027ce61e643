#include "vps/admission/lately.h"

#include <stdlib.h>
#include <string.h>

struct lately {
    unsigned count;
    struct {
        struct owner owner;
        struct addr from;
        int64_t unix_s;
    } entries[LATELY_MAX]; /* the most recent one first */
};

struct lately *lately_new(void)
{
    return calloc(1, sizeof(struct lately));
}

void lately_free(struct lately *lately)
{
    free(lately);
}

static unsigned find(const struct lately *lately, const struct owner *owner)
{
    unsigned i = 0;
    while (i < lately->count && !owner_equal(&lately->entries[i].owner, owner)) {
        i++;
    }
    return i;
}

void lately_add(struct lately *lately, const struct owner *owner, const struct addr *from,
                int64_t unix_s)
{
    unsigned at = find(lately, owner);
    if (at == lately->count && lately->count < LATELY_MAX) {
        lately->count++;
    }
    /* A new owner, and no place: the one that came longest ago is forgotten. */
    if (at == LATELY_MAX) {
        at = LATELY_MAX - 1;
    }
    memmove(&lately->entries[1], &lately->entries[0], at * sizeof lately->entries[0]);
    lately->entries[0].owner = *owner;
    lately->entries[0].from = *from;
    lately->entries[0].unix_s = unix_s;
}

bool lately_find(const struct lately *lately, const struct owner *owner, struct addr *ret_from,
                 int64_t *ret_unix_s)
{
    unsigned at = find(lately, owner);
    if (at < lately->count) {
        *ret_from = lately->entries[at].from;
        *ret_unix_s = lately->entries[at].unix_s;
    }
    return at < lately->count;
}

void lately_learn(struct lately *lately, const struct known *known)
{
    struct known_view view;
    struct addr from, before;
    int64_t unix_s;
    unsigned at = 0;
    while (known_next(known, &at, &view)) { /* the last used first */
        /* Of an IPv6 party only the /64 is kept; its first address stands for it. */
        view.party[strcspn(view.party, "/")] = '\0';
        if (!lately_find(lately, &view.owner, &before, &unix_s) &&
            addr_parse(view.party, 0, &from) == 0) {
            lately_add(lately, &view.owner, &from, view.used_unix);
        }
    }
}
