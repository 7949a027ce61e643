/* report_sums: what a report counts; report.c fills it in, and report_page.c shows it. */
#ifndef PAMTUNNEL_CTL_REPORT_SUMS_H
#define PAMTUNNEL_CTL_REPORT_SUMS_H

#include <stdint.h>
#include <stdio.h>

#include "ctl/report.h"
#include "ctl/tally.h"

enum { REPORT_LONGEST = 10, REPORT_TEXT_MAX = 96, REPORT_DAY_MAX = 16 };

struct report_session {
    char person[REPORT_TEXT_MAX], target[REPORT_TEXT_MAX], gateway[REPORT_TEXT_MAX];
    char kind[REPORT_DAY_MAX];
    int64_t ended_ms;
    uint64_t seconds, bytes;
};

struct report_sums {
    struct tally days;                      /* "2026-11-26": sessions that ended, or were refused */
    struct tally people, targets, gateways; /* sessions that ended */
    struct tally ends;                      /* by how they ended */
    struct tally refusals, refused;         /* by reason; by person */
    struct tally strangers;                 /* by target: who was turned away at its port */
    struct report_session longest[REPORT_LONGEST];
    unsigned longest_count;
    uint64_t sessions, used; /* used: somebody was connected */
    uint64_t seconds, bytes, refusal_count, stranger_count;
    int64_t first_ms, last_ms; /* of all rows */
};

/* The days from the first to the last one, without a gap, those with nothing in them, too. */
void report_page(const struct report_sums *sums, const struct report_frame *frame, FILE *page);

#endif
