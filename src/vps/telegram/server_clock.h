/*
 * server_clock: what time it is at Telegram, whose dates commands carry. It goes by the
 * header Date of the answers, and on by the monotonic clock: that this machine's clock is
 * wrong, or is set, makes no command younger or older. A server without Date has this
 * machine's.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_SERVER_CLOCK_H
#define PAMTUNNEL_VPS_TELEGRAM_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* Zero-initialised is ready for use. */
struct server_clock {
    int64_t server_unix; /* 0: never heard */
    uint64_t heard_ms;
    bool warned;
};

/* server_unix: an answer's, 0 if it has none. */
void server_clock_hear(struct server_clock *clock, int64_t server_unix);
int64_t server_clock_now(const struct server_clock *clock);
/* How far this machine's clock is ahead of it, in seconds; 0 if it was never heard. */
int64_t server_clock_offset(const struct server_clock *clock);
/*
 * Warns, once, if this machine's clock is another. To be called after an answer
 * that came at once.
 */
void server_clock_compare(struct server_clock *clock, const struct log *log);

#endif
