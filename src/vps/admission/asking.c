#include "vps/admission/asking.h"

#include <errno.h>
#include <string.h>

#include "base/bucket.h"

/* So many questions at once about clients that are the same at that width, and one more every. */
static const struct limit {
    bool everybody;
    enum origin_width width;
    unsigned burst;
    uint64_t every_ms;
} LIMITS[] = {
    {true, 0, 5, 10000},
    {true, 0, 20, 60000}, /* for sessions that wait for hours */
    {false, ORIGIN_PROVIDER, 4, 15000},
    {false, ORIGIN_NETWORK, 3, 30000},
};

static unsigned times_asked(const struct asking *asking, const struct origin *about,
                            enum origin_width width)
{
    unsigned count = 0;
    for (unsigned i = 0; i < asking->count; i++) {
        count += origin_same(&asking->asked[i].about, about, width);
    }
    return count;
}

/* How long this limit still forbids a question about that client. */
static uint64_t wait_for_limit(const struct asking *asking, const struct limit *limit,
                               const struct origin *about, uint64_t now_ms)
{
    /* Replayed from the notes, so that one list serves every network that may come. */
    struct bucket bucket = {0};
    for (unsigned i = 0; i < asking->count; i++) {
        if (limit->everybody || origin_same(&asking->asked[i].about, about, limit->width)) {
            bucket_refill(&bucket, limit->every_ms, asking->asked[i].at_ms);
            bucket.spent++;
        }
    }
    bucket_refill(&bucket, limit->every_ms, now_ms);
    return bucket.spent < limit->burst ? 0 : bucket.refilled_ms + limit->every_ms - now_ms;
}

static uint64_t wait_for(const struct asking *asking, const struct candidate *candidate,
                         uint64_t now_ms, bool at_once)
{
    /* A question about a client that is gone again is noise, and scanners go at once. */
    uint64_t waited = now_ms - candidate->since_ms;
    uint64_t wait = waited < ASKING_STAY_MS ? ASKING_STAY_MS - waited : 0;
    for (unsigned i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++) {
        uint64_t longer = wait_for_limit(asking, &LIMITS[i], &candidate->from, now_ms);
        wait = longer > wait ? longer : wait;
    }
    return at_once ? 0 : wait;
}

/* How much this provider, network or party wants of the user in all. */
static unsigned demand(const struct asking *asking, const struct candidate *candidates,
                       unsigned count, const struct origin *of, enum origin_width width)
{
    unsigned demand = times_asked(asking, of, width);
    for (unsigned i = 0; i < count; i++) {
        demand += origin_same(&candidates[i].from, of, width);
    }
    return demand;
}

static bool goes_before(const struct asking *asking, const struct candidate *candidates,
                        unsigned count, const struct candidate *one, const struct candidate *other)
{
    /* Widest first: a crowd spread over a provider's networks is still one crowd. */
    for (enum origin_width width = ORIGIN_PROVIDER; width < ORIGIN_WIDTHS; width++) {
        unsigned ones = demand(asking, candidates, count, &one->from, width);
        unsigned others = demand(asking, candidates, count, &other->from, width);
        if (ones != others) {
            return ones < others;
        }
    }
    return one->since_ms < other->since_ms;
}

int asking_next(const struct asking *asking, const struct candidate *candidates, unsigned count,
                uint64_t now_ms, bool at_once, uint64_t *ret_wait_ms)
{
    int next = -EAGAIN;
    *ret_wait_ms = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        uint64_t wait = wait_for(asking, &candidates[i], now_ms, at_once);
        if (wait > 0) {
            /* The soonest of all: callers sleep that long and look again. */
            *ret_wait_ms = wait < *ret_wait_ms ? wait : *ret_wait_ms;
        } else if (next < 0 ||
                   goes_before(asking, candidates, count, &candidates[i], &candidates[next])) {
            next = (int)i;
        }
    }
    return next;
}

void asking_note(struct asking *asking, const struct origin *about, uint64_t now_ms)
{
    /* The oldest: what it used up has long come back. */
    if (asking->count == ASKING_MEMORY) {
        asking->count--;
        memmove(&asking->asked[0], &asking->asked[1], asking->count * sizeof asking->asked[0]);
    }
    asking->asked[asking->count].about = *about;
    asking->asked[asking->count++].at_ms = now_ms;
}
