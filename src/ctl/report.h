/*
 * report: what an audit comes to, for people: who was where, how often and for how long. Rows go
 * in one after the other, in any number; a page of HTML comes out that needs nothing but itself.
 */
#ifndef PAMTUNNEL_CTL_REPORT_H
#define PAMTUNNEL_CTL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report;

/* NULL when out of memory. */
struct report *report_new(void);
/* Accepts NULL. */
void report_free(struct report *report);
/* The events that it reads; all others make no difference. NULL at the end. */
extern const char *const REPORT_EVENTS[];
/* A row of the audit as pamctl audit --json has it. 0 or -ENOMEM. */
int report_add(struct report *report, const json_t *row);

struct report_frame {
    const char *host;          /* whose audit it is */
    int64_t from_ms, until_ms; /* of Unix time; from 0: since the first row */
    int64_t made_ms;           /* now */
};

/* Nothing is added after that. */
void report_write(struct report *report, const struct report_frame *frame, FILE *page);

#endif
