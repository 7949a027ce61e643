#include "vps/admission/judge.h"

/*
 * Real clients connect more than once: RDP after a network loss, scp after ssh. In RDP
 * the newest connection is the one that the client uses, so an older one makes room.
 */
static enum verdict judge_return(const struct visit *visit)
{
    bool is_rdp = visit->kind == KIND_RDP;
    bool same_way_in = !is_rdp || visit->has_secret || visit->that_had_no_secret;
    bool has_place = is_rdp || !visit->is_full;
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
    if (visit->kind == KIND_RDP) {
        /* Without the secret it is a stranger, even at a known address, even with ADMIT=auto. */
        return visit->has_secret ? VERDICT_ADMIT : VERDICT_ASK;
    }
    bool known_client = visit->known && visit->admit == ADMIT_KNOWN;
    return known_client || visit->admit == ADMIT_AUTO ? VERDICT_ADMIT : VERDICT_ASK;
}

enum verdict judge_silent(const struct visit *visit)
{
    /* With ADMIT=auto a scanner that waits for banners must not get what cannot be given back. */
    bool is_lost = visit->is_the_only_one && !visit->known && !visit->somebody_is_in;
    bool is_in = visit->kind == KIND_SSH && judge_visit(visit) == VERDICT_ADMIT;
    return is_in && !is_lost ? VERDICT_ADMIT : VERDICT_DROP;
}
