/*
 * hours: when something is open, by the wall clock of a place: "mon-fri 08:00-18:00". A span over
 * midnight ("sat 22:00-02:00") belongs to the day on which it begins.
 */
#ifndef PAMTUNNEL_VPS_POLICY_HOURS_H
#define PAMTUNNEL_VPS_POLICY_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

struct hours {
    uint8_t days;  /* bit 0: Monday */
    uint16_t from; /* minutes of the day */
    uint16_t to;   /* the first minute that is not in it; at or below `from`: of the next day */
};

/* A moment by a wall clock. */
struct wall_clock {
    int year, month, day; /* 2026, 11, 26 */
    unsigned weekday;     /* 0: Monday */
    unsigned minute;      /* of the day */
};

/*
 * "[DAYS ]HH:MM-HH:MM", DAYS like "mon", "mon-fri", "sat,sun" or "fri-mon"; none: every day. 24:00
 * is the end of a day. -EINVAL with a clause in why.
 */
int hours_parse(const char *text, struct hours *ret_hours, struct why *why);
bool hours_contain(const struct hours *hours, const struct wall_clock *when);

/* local: seconds since 1970 as a clock shows them there, not UTC. */
struct wall_clock wall_clock_of(int64_t local);
/* The same in the other direction, at the beginning of that day. */
int64_t wall_clock_day(int year, int month, int day);

#endif
