/* clock: the two clocks that the project uses. */
#ifndef PAMTUNNEL_BASE_CLOCK_H
#define PAMTUNNEL_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for durations and deadlines. */
uint64_t clock_ms(void);
/* The same in microseconds: for round trips. */
uint64_t clock_us(void);
/* Seconds of Unix time: for people and for Telegram's dates. */
int64_t clock_unix(void);
/* The same in milliseconds: for records of what happened. */
int64_t clock_unix_ms(void);

enum { CLOCK_TEXT_MAX = 40 };
/* "2026-11-26 18:04 UTC"; dst takes CLOCK_TEXT_MAX. Returns dst. */
char *clock_text(int64_t unix_s, char *dst);
/* The day of that alone, "2026-11-26". */
char *clock_day(int64_t unix_s, char *dst);

#endif
