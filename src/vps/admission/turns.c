#include "vps/admission/turns.h"

#include "base/clock.h"
#include "vps/admission/guests.h"

bool turns_are_full(const struct list *list)
{
    struct guest *guests[PARKED_MAX];
    return guests_find_questions(list, guests) >= TURNS_MAX;
}

/*
 * Those whom a question of their own could be about. Where that puts off another one, those
 * that were put off themselves do not count: the same few would take turns for hours.
 */
static unsigned find_candidates(const struct list *list, bool also_put_off, struct guest **guests,
                                struct candidate *candidates)
{
    unsigned count = 0;
    list_each (struct guest, guest, list, home) {
        if (!guest->asked && (also_put_off || !guest->put_off) &&
            !guests_are_asked_about(list, &guest->from)) {
            guests[count] = guest;
            candidates[count++] = (struct candidate){guest->place.from, guest->place.since_ms};
        }
    }
    return count;
}

struct guest *turns_find_ripe(const struct list *list, uint64_t *ret_wait_ms)
{
    struct guest *guests[PARKED_MAX];
    const struct place *places[PARKED_MAX];
    unsigned open = guests_find_questions(list, guests), count = 0;
    uint64_t now = clock_ms();
    *ret_wait_ms = UINT64_MAX;
    for (unsigned i = 0; i < open; i++) {
        uint64_t age = now - guests[i]->asked_ms;
        if (age >= PLACES_WAIT_MS) {
            guests[count] = guests[i];
            places[count++] = &guests[i]->place;
        } else if (PLACES_WAIT_MS - age < *ret_wait_ms) {
            *ret_wait_ms = PLACES_WAIT_MS - age;
        }
    }
    return count > 0 ? guests[places_of_most_crowded(places, count)] : NULL;
}

void turns_put_off(const struct list *list, const struct addr *party)
{
    list_each (struct guest, guest, list, home) {
        if (guest->asked && addr_same_party(&guest->from, party)) {
            guest->asked = false;
            guest->put_off = true;
        }
    }
}

struct guest *turns_next(const struct list *list, const struct asking *asking, bool at_once,
                         uint64_t *ret_wait_ms)
{
    struct guest *guests[PARKED_MAX];
    struct candidate candidates[PARKED_MAX];
    bool full = turns_are_full(list);
    unsigned count = find_candidates(list, at_once || !full, guests, candidates);
    *ret_wait_ms = UINT64_MAX;
    if (count == 0 || (full && !turns_find_ripe(list, ret_wait_ms))) {
        return NULL;
    }
    int next = asking_next(asking, candidates, count, clock_ms(), at_once, ret_wait_ms);
    return next < 0 ? NULL : guests[next];
}

unsigned turns_count(const struct list *list)
{
    struct guest *guests[PARKED_MAX];
    struct candidate candidates[PARKED_MAX];
    return find_candidates(list, true, guests, candidates);
}
