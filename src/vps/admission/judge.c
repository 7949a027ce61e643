#include "vps/admission/judge.h"

/* Real clients connect more than once: RDP after a network loss, scp after ssh. */
static enum verdict judge_return(const struct visit *visit)
{
    const struct kind_row *kind = visit->kind;
    bool same_way_in = !kind->has_secret || visit->has_secret || visit->that_had_no_secret;
    bool has_place = kind->newest_wins || !visit->is_full;
    return visit->from_that_party && same_way_in && has_place ? VERDICT_ADMIT : VERDICT_DROP;
}

enum verdict judge_visit(const struct visit *visit)
{
    if (visit->blocked) {
        return VERDICT_DROP;
    }
    /* Whoever is in decides who may follow; ADMIT and known addresses are for the first one. */
    if (visit->somebody_is_in) {
        return judge_return(visit);
    }
    if (visit->linked) {
        return VERDICT_ADMIT;
    }
    if (visit->kind->has_secret) {
        /* Without the secret it is a stranger, even at a known address, even with ADMIT=auto. */
        return visit->has_secret ? VERDICT_ADMIT : VERDICT_ASK;
    }
    bool known_client = visit->known && visit->admit == ADMIT_KNOWN;
    /* A scanner that waits for banners must not get what cannot be given back. */
    bool is_lost = visit->is_silent && visit->is_the_only_one && !visit->known;
    bool any_client = visit->admit == ADMIT_AUTO && !is_lost;
    return known_client || any_client ? VERDICT_ADMIT : VERDICT_ASK;
}

enum verdict judge_silent(const struct visit *visit)
{
    struct visit silent = *visit;
    silent.is_silent = true;
    bool is_in = visit->kind->may_be_silent && judge_visit(&silent) == VERDICT_ADMIT;
    return is_in ? VERDICT_ADMIT : VERDICT_DROP;
}
