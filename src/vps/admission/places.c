#include "vps/admission/places.h"

#include <stdbool.h>
#include <stddef.h>

/* Some of the places: those of one provider, network or party, or all of them. */
struct group {
    const struct place *const *places;
    unsigned count;
    const struct origin *within; /* NULL: all */
    enum origin_width width;
};

static bool is_member(const struct group *group, const struct place *place)
{
    return !group->within || origin_same(&place->from, group->within, group->width);
}

static unsigned members(const struct group *group)
{
    unsigned count = 0;
    for (unsigned i = 0; i < group->count; i++) {
        count += is_member(group, group->places[i]);
    }
    return count;
}

static struct group narrowed(const struct group *group, const struct origin *origin,
                             enum origin_width width)
{
    struct group part = *group;
    part.within = origin;
    part.width = width;
    return part;
}

/* The n-th as seen from the oldest or from the newest. */
static unsigned nth(const struct group *group, unsigned n, bool newest_first)
{
    return newest_first ? group->count - 1 - n : n;
}

/*
 * The largest part of that width; among equals the one whose oldest (or newest) came
 * before (or after) all others'. *ret_members is 0 if the group has no members.
 */
static struct group most_crowded(const struct group *group, enum origin_width width,
                                 bool newest_first, unsigned *ret_members)
{
    struct group most = *group;
    *ret_members = 0;
    for (unsigned n = 0; n < group->count; n++) {
        const struct place *place = group->places[nth(group, n, newest_first)];
        if (!is_member(group, place)) {
            continue;
        }
        /* Counted anew for each member: there are 64 at most. */
        struct group part = narrowed(group, &place->from, width);
        unsigned count = members(&part);
        if (count > *ret_members) {
            *ret_members = count;
            most = part;
        }
    }
    return most;
}

/* The oldest or newest member of the most crowded party of the most crowded network of ... */
static int of_the_most_crowded(struct group group, enum origin_width width, bool newest_first)
{
    unsigned count;
    for (enum origin_width w = width; w < ORIGIN_WIDTHS; w++) {
        group = most_crowded(&group, w, newest_first, &count);
    }
    for (unsigned n = 0; n < group.count; n++) {
        unsigned i = nth(&group, n, newest_first);
        if (is_member(&group, group.places[i])) {
            return (int)i;
        }
    }
    return PLACES_NONE;
}

int places_for_silent(const struct place *const places[], unsigned count,
                      const struct origin *newcomer, unsigned most)
{
    struct group all = {places, count, NULL, ORIGIN_PROVIDER};
    struct group party = narrowed(&all, newcomer, ORIGIN_PARTY);
    /* One address only ever pushes out its own. */
    if (members(&party) >= PLACES_SILENT_PER_PARTY) {
        return of_the_most_crowded(party, ORIGIN_WIDTHS, false);
    }
    return count < most ? PLACES_FREE : places_of_most_crowded(places, count);
}

int places_of_most_crowded(const struct place *const places[], unsigned count)
{
    struct group all = {places, count, NULL, ORIGIN_PROVIDER};
    return of_the_most_crowded(all, ORIGIN_PROVIDER, false);
}

/* One of those that have at least two places more than the newcomer, at the same width. */
static int unfair_one(const struct group *all, const struct origin *newcomer)
{
    struct group around = *all; /* the newcomer's surroundings, ever narrower */
    for (enum origin_width w = ORIGIN_PROVIDER; w < ORIGIN_WIDTHS; w++) {
        unsigned theirs;
        struct group crowd = most_crowded(&around, w, true, &theirs);
        struct group own = narrowed(&around, newcomer, w);
        /* Two more, not one: otherwise two equal networks would push each other out in turns. */
        if (theirs >= members(&own) + 2) {
            return of_the_most_crowded(crowd, w + 1, true);
        }
        /* Fair so far: look closer, at the newcomer's own surroundings. */
        around = own;
    }
    return PLACES_NONE;
}

int places_for_waiting(const struct place *const places[], unsigned count,
                       const struct origin *newcomer, unsigned most, uint64_t now_ms)
{
    struct group all = {places, count, NULL, ORIGIN_PROVIDER};
    struct group party = narrowed(&all, newcomer, ORIGIN_PARTY);
    if (members(&party) >= PLACES_WAITING_PER_PARTY) {
        return PLACES_NONE;
    }
    if (count < most) {
        return PLACES_FREE;
    }
    /* The newest of a crowd goes: whoever has waited longest is nearest to being admitted. */
    int unfair = unfair_one(&all, newcomer);
    if (unfair >= 0) {
        return unfair;
    }
    for (unsigned i = 0; i < count; i++) {
        if (now_ms - places[i]->since_ms >= PLACES_WAIT_MS) {
            return (int)i;
        }
    }
    return PLACES_NONE;
}
