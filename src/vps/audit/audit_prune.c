/*
 * Records that are older than AUDIT_DAYS are removed once a day, at the start, and when the setting
 * is another one. Each step removes some thousand, so that what happens meanwhile is not held up.
 *
 * By a clock that has leapt ahead by years all of it would be old, and gone within a second. So
 * nothing is removed for a day after a leap of more than two, be it while the agent was not there,
 * and somebody has the time to set it right.
 */
#include "vps/audit/audit_core.h"

#include <errno.h>

#include "base/clock.h"

enum { FIRST_MS = 1000, LOOK_MS = 60000, DAY_S = 86400 };
static const int64_t DAY_MS = INT64_C(1000) * DAY_S, LEAP_MS = INT64_C(2000) * DAY_S;

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

static void distrust(struct audit *audit, int64_t ahead_ms, int64_t for_ms)
{
    audit->distrusted_until_ms = clock_ms() + (uint64_t)for_ms;
    if (*audit->options.days > 0) {
        log_warn(audit->options.log,
                 "audit: the clock is %lld days ahead of what was recorded before: no record is "
                 "removed for its age (AUDIT_DAYS) for a day",
                 (long long)(ahead_ms / DAY_MS));
    }
}

/* The clock, since the last look. */
static bool is_trusted(struct audit *audit)
{
    int64_t now_ms = clock_unix_ms();
    int64_t ahead_ms = now_ms - audit->seen_unix_ms - (int64_t)(clock_ms() - audit->seen_ms);
    audit->seen_unix_ms = now_ms;
    audit->seen_ms = clock_ms();
    if (ahead_ms > LEAP_MS) {
        distrust(audit, ahead_ms, DAY_MS);
    }
    return clock_ms() >= audit->distrusted_until_ms;
}

static void on_look(void *arg)
{
    struct audit *audit = arg;
    int64_t day = clock_unix() / DAY_S;
    long days = *audit->options.days;
    timer_set(audit->prune_timer, LOOK_MS);
    if (is_trusted(audit) && (day != audit->pruned_day || days != audit->pruned_days)) {
        audit->pruned_day = day;
        audit->pruned_days = days;
        prune(audit);
    }
}

struct gap {
    int64_t before_ms, behind_ms; /* the records on both sides of it; 0: there is none */
};

static void take_gap(void *arg, const struct row *row)
{
    struct gap *gap = arg;
    *gap = (struct gap){row_number(row, 0), row_number(row, 1)};
}

/* Whatever was recorded since the clock leapt says the wrong time, too, but for less than a day. */
static void look_for_leap(struct audit *audit)
{
    int64_t now_ms = clock_unix_ms();
    const struct statement sides = {"SELECT (SELECT max(at) FROM audit WHERE at < ?1),"
                                    " (SELECT min(at) FROM audit WHERE at >= ?1 AND at <= ?2)",
                                    {value_number(now_ms - DAY_MS), value_number(now_ms)}};
    struct gap gap = {0};
    store_read(audit->options.store, &sides, take_gap, &gap);
    int64_t since_ms = gap.behind_ms > 0 ? gap.behind_ms : now_ms;
    if (gap.before_ms > 0 && since_ms - gap.before_ms > LEAP_MS) {
        distrust(audit, since_ms - gap.before_ms, since_ms + DAY_MS - now_ms);
    }
}

int audit_prune_start(struct audit *audit)
{
    if (!audit->options.days) {
        return 0;
    }
    audit->seen_unix_ms = clock_unix_ms();
    audit->seen_ms = clock_ms();
    look_for_leap(audit);
    audit->prune_timer = timer_new(audit->options.loop, on_look, audit);
    if (!audit->prune_timer) {
        return -ENOMEM;
    }
    timer_set(audit->prune_timer, FIRST_MS);
    return 0;
}
