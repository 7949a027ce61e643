#include "vps/consent/patience.h"

/* Theirs; or that of whoever has asked least. */
static unsigned find(const struct patience *patience, const struct owner *person)
{
    unsigned best = 0;
    for (unsigned i = 0; i < PATIENCE_PEOPLE; i++) {
        if (owner_equal(&patience->asked[i].person, person)) {
            return i;
        }
        if (patience->asked[i].bucket.spent < patience->asked[best].bucket.spent) {
            best = i;
        }
    }
    return best;
}

bool patience_take(struct patience *patience, const struct owner *person, uint64_t now_ms)
{
    for (unsigned i = 0; i < PATIENCE_PEOPLE; i++) {
        bucket_refill(&patience->asked[i].bucket, PATIENCE_EACH_MS, now_ms);
    }
    unsigned at = find(patience, person);
    if (!owner_equal(&patience->asked[at].person, person)) {
        patience->asked[at].person = *person;
        patience->asked[at].bucket = (struct bucket){.refilled_ms = now_ms};
    }
    return bucket_take(&patience->asked[at].bucket, PATIENCE_MOST, PATIENCE_EACH_MS, now_ms);
}
