#include "vps/factor/tries.h"

enum { DAY_S = 86400 };

/* A clock that was set back makes no new day, and so no new tries. */
static bool day_is_over(const struct tries *tries, int64_t now)
{
    return now - tries->day >= DAY_S;
}

void tries_wrong(struct tries *tries, int64_t now)
{
    if (tries->of_day == 0 || day_is_over(tries, now)) {
        tries->of_day = 0;
        tries->day = now;
    }
    tries->of_day++;
    tries->in_a_row++;
    if (tries->in_a_row >= TRIES_IN_A_ROW) {
        tries->in_a_row = 0;
        tries->until = now + TRIES_LOCK_S;
    }
}

/* Those of the day stay: somebody else may be guessing meanwhile. */
void tries_right(struct tries *tries)
{
    tries->in_a_row = 0;
    tries->until = 0;
}

bool tries_are_used_up(const struct tries *tries)
{
    return tries->of_day >= TRIES_A_DAY;
}

unsigned tries_locked_s(const struct tries *tries, int64_t now)
{
    /* A clock that was set back does not lock for longer. */
    int64_t left = tries->until - now;
    return left <= 0 ? 0 : left > TRIES_LOCK_S ? TRIES_LOCK_S : (unsigned)left;
}

unsigned tries_left(const struct tries *tries, int64_t now)
{
    unsigned of_day = day_is_over(tries, now) ? 0 : tries->of_day;
    unsigned today = of_day < TRIES_A_DAY ? TRIES_A_DAY - of_day : 0;
    unsigned in_a_row = TRIES_IN_A_ROW - tries->in_a_row;
    if (tries_are_used_up(tries)) {
        return 0;
    }
    return today < in_a_row ? today : in_a_row;
}
