/*
 * Records that are older than AUDIT_DAYS are removed once a day, at the start, and when the setting
 * is another one. Each step removes some thousand, so that what happens meanwhile is not held up.
 */
#include "vps/audit/audit_core.h"

#include <errno.h>

#include "base/clock.h"

enum { FIRST_MS = 1000, LOOK_MS = 60000, DAY_S = 86400 };

static void on_pruned(void *arg, int err);

/* By the setting as it is now, which may be another one than when the first step was made. */
static void prune(struct audit *audit)
{
    int64_t days = *audit->options.days;
    if (days > 0) {
        store_prune(audit->options.store, clock_unix_ms() - days * DAY_S * 1000, on_pruned, audit);
    }
}

static void on_pruned(void *arg, int err)
{
    struct audit *audit = arg;
    if (err == 1) { /* there is more */
        prune(audit);
    }
}

static void on_look(void *arg)
{
    struct audit *audit = arg;
    int64_t day = clock_unix() / DAY_S;
    long days = *audit->options.days;
    timer_set(audit->prune_timer, LOOK_MS);
    if (day != audit->pruned_day || days != audit->pruned_days) {
        audit->pruned_day = day;
        audit->pruned_days = days;
        prune(audit);
    }
}

int audit_prune_start(struct audit *audit)
{
    if (!audit->options.days) {
        return 0;
    }
    audit->prune_timer = timer_new(audit->options.loop, on_look, audit);
    if (!audit->prune_timer) {
        return -ENOMEM;
    }
    timer_set(audit->prune_timer, FIRST_MS);
    return 0;
}
