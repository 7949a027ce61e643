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

#include "vps/admission/origin.h"

enum {
    PLACES_SILENT_PER_PARTY = 8,
    PLACES_WAITING_PER_PARTY = 4,
    PLACES_WAIT_MS = 60000, /* so long a person takes to look at the phone and press Admit */
};

struct place {
    struct origin from;
    uint64_t since_ms;
};

/* What the functions below return instead of the index of the one who makes room. */
enum { PLACES_FREE = -1, PLACES_NONE = -2 };

/*
 * For a newcomer who has said nothing yet. `places` are taken by others of that kind, the
 * oldest first; there are `most` in all. A real client speaks within a round trip, so it is
 * the one who was silent for longest that goes, of those who take more than their share.
 */
int places_for_silent(const struct place *const places[], unsigned count,
                      const struct origin *newcomer, unsigned most);
/* The oldest of those who take most, of at least one place. */
int places_of_most_crowded(const struct place *const places[], unsigned count);
/*
 * The same for a newcomer who is to wait for a person. Who waits keeps the place for
 * PLACES_WAIT_MS whoever else comes, except that where all places are taken, those go who
 * came last and take more than a newcomer from elsewhere has. Nobody is displaced for
 * another of his own party.
 */
int places_for_waiting(const struct place *const places[], unsigned count,
                       const struct origin *newcomer, unsigned most, uint64_t now_ms);

#endif
