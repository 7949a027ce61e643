/*
 * trouble: that something does not work goes on until it works again, however often it was
 * tried in between. Both ends of it are said in the log; trouble that lasts is said again in
 * ten minutes. What comes and goes is for the sieve: once in ten minutes for each reason.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_TROUBLE_H
#define PAMTUNNEL_VPS_TELEGRAM_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "base/sieve.h"

enum { TROUBLE_REASON_MAX = 160 };

struct trouble {
    const struct log *log;
    struct sieve *sieve;
    const char *what; /* "receiving" */
    bool on;
    uint64_t since_ms; /* when it began */
    char reason[TROUBLE_REASON_MAX];
    char said[TROUBLE_REASON_MAX + 32]; /* the cause that was said since then, or "" */
    uint64_t said_ms;
};

/* 0 or -ENOMEM. */
int trouble_init(struct trouble *trouble, uv_loop_t *loop, const struct log *log, const char *what);
/* Also of one that was only zeroed. */
void trouble_done(struct trouble *trouble);
/* It failed. Reasons that differ in numbers only are one. */
void trouble_begin(struct trouble *trouble, const char *reason);
/* It worked. */
void trouble_end(struct trouble *trouble);

#endif
