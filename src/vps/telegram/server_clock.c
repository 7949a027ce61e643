#include "vps/telegram/server_clock.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"

enum { CLOCK_FINE_S = 15 }; /* Date has whole seconds, and the answer took its time */

void server_clock_hear(struct server_clock *clock, int64_t server_unix)
{
    if (server_unix > 0) {
        clock->server_unix = server_unix;
        clock->heard_ms = clock_ms();
    }
}

int64_t server_clock_now(const struct server_clock *clock)
{
    if (clock->server_unix == 0) {
        return clock_unix();
    }
    return clock->server_unix + (int64_t)((clock_ms() - clock->heard_ms) / 1000);
}

int64_t server_clock_offset(const struct server_clock *clock)
{
    return clock_unix() - server_clock_now(clock);
}

void server_clock_compare(struct server_clock *clock, const struct log *log)
{
    int64_t off = server_clock_offset(clock);
    if (off >= -CLOCK_FINE_S && off <= CLOCK_FINE_S) {
        clock->warned = false;
    } else if (!clock->warned) {
        clock->warned = true;
        char span[32];
        struct text text = text_over(span, sizeof span);
        text_add_seconds(&text, (uint64_t)llabs(off));
        log_warn(log,
                 "this machine's clock is %s %s Telegram's: commands are judged by Telegram's, "
                 "but certificates and this log need the right time",
                 span, off < 0 ? "behind" : "ahead of");
    }
}
