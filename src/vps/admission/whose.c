#include "vps/admission/whose.h"

static bool is_candidate(const struct whose_claim *claim, enum whose_fit fit)
{
    return claim->fit == fit && (claim->is_in || claim->expects);
}

/* Before any other rule: who has it was given it for that session. */
static int of_secret(const struct whose_claim *claims, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (claims[i].fit == WHOSE_FIT_OWN && claims[i].has_secret) {
            return (int)i;
        }
    }
    return WHOSE_NOBODY;
}

/*
 * Of one owner's, the one that was asked for last and waits, or the only one. Two owners' is for
 * none of them: they share an address, and one would come to the other's machine.
 */
static int of_party(const struct whose_claim *claims, unsigned count, enum whose_fit fit)
{
    int waiting = WHOSE_NOBODY, in = WHOSE_NOBODY, first = WHOSE_NOBODY;
    for (unsigned i = 0; i < count; i++) {
        if (!is_candidate(&claims[i], fit)) {
            continue;
        }
        if (first >= 0 && !owner_equal(&claims[first].owner, &claims[i].owner)) {
            return WHOSE_SEVERAL;
        }
        first = first < 0 ? (int)i : first;
        if (claims[i].expects) {
            waiting = (int)i;
        } else {
            in = in == WHOSE_NOBODY ? (int)i : WHOSE_SEVERAL;
        }
    }
    return waiting >= 0 ? waiting : in;
}

int whose_session(const struct whose_claim *claims, unsigned count)
{
    int found = of_secret(claims, count);
    for (unsigned i = 0; found == WHOSE_NOBODY && i < count; i++) {
        if (claims[i].fit == WHOSE_FIT_LATER) {
            return WHOSE_LATER;
        }
    }
    /* What speaks a session's protocol is not for one that takes anything. */
    found = found == WHOSE_NOBODY ? of_party(claims, count, WHOSE_FIT_OWN) : found;
    return found == WHOSE_NOBODY ? of_party(claims, count, WHOSE_FIT_ANY) : found;
}
