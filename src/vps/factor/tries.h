/*
 * tries: how often somebody gave a wrong code, and what follows: after five in a row no more is
 * taken for 15 minutes, and after twenty within a day none until an administrator allows it. With
 * three right codes of a million that is one chance in 16,000 a day. Times are Unix time, so that
 * they outlive a restart. Nothing here looks at a clock.
 */
#ifndef PAMTUNNEL_VPS_FACTOR_TRIES_H
#define PAMTUNNEL_VPS_FACTOR_TRIES_H

#include <stdbool.h>
#include <stdint.h>

enum { TRIES_IN_A_ROW = 5, TRIES_A_DAY = 20, TRIES_LOCK_S = 15 * 60 };

/* Zero-initialised: none yet. */
struct tries {
    unsigned in_a_row;
    unsigned of_day;
    int64_t day;   /* when the first of these was */
    int64_t until; /* nothing is taken before that */
};

void tries_wrong(struct tries *tries, int64_t now);
void tries_right(struct tries *tries);

/* Too many of a day: for good, but for a fresh struct. */
bool tries_are_used_up(const struct tries *tries);
/* For how many seconds nothing is taken; 0: a try is. */
unsigned tries_locked_s(const struct tries *tries, int64_t now);
/* How many more before that changes. */
unsigned tries_left(const struct tries *tries, int64_t now);

#endif
