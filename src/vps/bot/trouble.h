/*
 * trouble: says in the log once that something does not work, and once that it
 * works again, however often it was tried in between.
 */
#ifndef PAMTUNNEL_VPS_BOT_TROUBLE_H
#define PAMTUNNEL_VPS_BOT_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

struct trouble {
    const struct log *log;
    const char *what; /* "receiving" */
    bool on;
    uint64_t since_ms;
    char reason[160];
    struct log_sieve sieve;
};

void trouble_init(struct trouble *trouble, const struct log *log, const char *what);
/* It failed. A reason that differs from the last one is worth a line, too. */
void trouble_begin(struct trouble *trouble, const char *reason);
/* It worked. */
void trouble_end(struct trouble *trouble);

#endif
