#include "vps/admission/judge.h"

/* An RDP client comes back during a session: same secret and same address. */
static enum verdict judge_return(const struct visit *visit)
{
    bool same_way_in = visit->has_secret || visit->that_had_no_secret;
    bool comes_back = visit->kind == SESSION_RDP && visit->from_that_address && same_way_in;
    return comes_back ? VERDICT_ADMIT : VERDICT_DROP;
}

enum verdict judge_visit(const struct visit *visit)
{
    if (visit->blocked) {
        return VERDICT_DROP;
    }
    if (visit->somebody_is_in) {
        return judge_return(visit);
    }
    if (visit->kind == SESSION_RDP) {
        /* Without the secret it is a stranger, even at a known address, even with ADMIT=auto. */
        return visit->has_secret ? VERDICT_ADMIT : VERDICT_ASK;
    }
    bool known_client = visit->known && visit->admit == ADMIT_KNOWN;
    return known_client || visit->admit == ADMIT_AUTO ? VERDICT_ADMIT : VERDICT_ASK;
}
