/*
 * sieve: log lines that others can cause, as many and as often as they like.
 *
 * Lines of one cause ("telegram: user 42", "control port: 203.0.113.0/24") pass in a burst,
 * and then seldom; how many were left out is said with the next one that passes, or else when
 * the cause has been quiet for a while. No cause hides another, up to SIEVE_CAUSES_MAX at a
 * time, and however many there are, all together have a bound, too. Where causes are of
 * different weight, so that many of the one kind must not hide the other, each kind has a
 * sieve of its own.
 */
#ifndef PAMTUNNEL_BASE_SIEVE_H
#define PAMTUNNEL_BASE_SIEVE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"

enum {
    SIEVE_CAUSES_MAX = 32,   /* told apart; the one that was quiet for the longest makes room */
    SIEVE_BURST = 5,         /* what is usual: lines of one cause at once, */
    SIEVE_REFILL_MS = 60000, /* and one more after that long */
    SIEVE_ALL = 12,          /* all causes together have so many times as much */
    SIEVE_QUIET_MS = 60000,  /* then what was left out is said; not before a line may pass */
};

struct sieve;

/* So many lines of one cause, and one more after each refill_ms. NULL when out of memory. */
struct sieve *sieve_new(uv_loop_t *loop, const struct log *log, unsigned burst, uint64_t refill_ms);
/* Says what it still holds back. Accepts NULL. */
void sieve_free(struct sieve *sieve);
/*
 * Logs a line if it may pass; true if it did. `cause` (cut at 191 bytes) is how the line that
 * counts the others refers to them.
 */
bool sieve_log(struct sieve *sieve, const char *cause, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

#endif
