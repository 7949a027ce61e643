/*
 * sieve: log lines that others can cause, as many and as often as they like.
 *
 * Lines of one cause ("refused 203.0.113.7", "telegram: sending") pass in a burst, and then
 * seldom; how many were left out is said with the next one that passes, or when the cause has
 * been quiet for a while. No cause hides another, up to SIEVE_CAUSES_MAX at a time, and
 * however many there are, all together have a bound, too. A single struct log_sieve (log.h)
 * is enough where there is one cause.
 */
#ifndef PAMTUNNEL_BASE_SIEVE_H
#define PAMTUNNEL_BASE_SIEVE_H

#include <uv.h>

#include "base/log.h"

enum {
    SIEVE_CAUSES_MAX = 32,    /* told apart; the one that was quiet for the longest makes room */
    SIEVE_BURST = 5,          /* lines of one cause at once */
    SIEVE_REFILL_MS = 300000, /* and one more after that long */
    SIEVE_ALL_BURST = 60,     /* lines of all causes */
    SIEVE_ALL_REFILL_MS = 5000,
    SIEVE_QUIET_MS = 60000, /* then what was left out is said */
};

struct sieve;

/* NULL when out of memory. */
struct sieve *sieve_new(uv_loop_t *loop, const struct log *log);
/* Says what it still holds back. Accepts NULL. */
void sieve_free(struct sieve *sieve);
/* A line, if it may pass. `cause` stands in the line that counts; what is too long is cut off. */
void sieve_log(struct sieve *sieve, const char *cause, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

#endif
