/*
 * trouble: says in the log that something does not work, and that it works again, however
 * often it was tried in between. Trouble that lasts, or comes and goes, is reported once in
 * ten minutes for each of its causes.
 */
#ifndef PAMTUNNEL_VPS_BOT_TROUBLE_H
#define PAMTUNNEL_VPS_BOT_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

enum { TROUBLE_CAUSES_MAX = 4, TROUBLE_REASON_MAX = 160 };

struct trouble {
    const struct log *log;
    const char *what; /* "receiving" */
    bool on;
    bool said;         /* the log has that it began */
    uint64_t since_ms; /* when it began */
    char reason[TROUBLE_REASON_MAX];
    struct trouble_cause {
        char reason[TROUBLE_REASON_MAX];
        uint64_t said_ms;
        unsigned held_back; /* times it came since */
    } causes[TROUBLE_CAUSES_MAX];
    struct log_sieve sieve;
};

void trouble_init(struct trouble *trouble, const struct log *log, const char *what);
/* It failed. Reasons that differ in numbers only are one cause. */
void trouble_begin(struct trouble *trouble, const char *reason);
/* It worked. */
void trouble_end(struct trouble *trouble);

#endif
