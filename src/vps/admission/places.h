/*
 * places: who gets one of a door's places, and who makes room when all are taken.
 * Pure functions, like judge.h; design and reasons are in docs/threat-model.md,
 * "Admission".
 *
 * What is scarce is shared among providers, then networks, then parties: a crowd
 * from few networks costs a client from elsewhere nothing, however many addresses
 * it has.
 */
#ifndef PAMTUNNEL_VPS_ADMISSION_PLACES_H
#define PAMTUNNEL_VPS_ADMISSION_PLACES_H

#include "base/origin.h"

enum {
    PLACES_SILENT_PER_PARTY = 8,
    PLACES_WAITING_PER_PARTY = 4,
    PLACES_WAIT_MS = 60000, /* how long a person takes to look at the phone and press Admit */
};

struct place {
    struct origin from;
    uint64_t since_ms;
};

/* What the functions below return instead of the index of the one that makes room. */
enum { PLACES_FREE = -1, PLACES_NONE = -2 };

/*
 * For a newcomer that has said nothing yet. `places` are taken by others of that kind, the
 * oldest first; there are `most` in all. A real client speaks within a round trip, so of
 * those that take more than their share the one that was silent for longest goes.
 */
int places_for_silent(const struct place *const places[], unsigned count,
                      const struct origin *newcomer, unsigned most);
/* The oldest of the most crowded party of the most crowded network; count is at least 1. */
int places_of_most_crowded(const struct place *const places[], unsigned count);
/*
 * The same for a newcomer that is to wait for a person. A waiting client keeps its place for
 * PLACES_WAIT_MS, with one exception: when all places are taken, the last one to come from a
 * crowd makes room for a newcomer from elsewhere. None is displaced by its own party.
 */
int places_for_waiting(const struct place *const places[], unsigned count,
                       const struct origin *newcomer, unsigned most, uint64_t now_ms);

#endif
