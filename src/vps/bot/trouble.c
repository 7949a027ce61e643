#include "vps/bot/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { SAY_AGAIN_MS = 10 * 60 * 1000 };

void trouble_init(struct trouble *trouble, const struct log *log, const char *what)
{
    *trouble = (struct trouble){.log = log, .what = what};
}

static size_t skip_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* "retry after 5" and "retry after 17" are. */
static bool same_cause(const char *a, const char *b)
{
    for (;;) {
        a += skip_digits(a);
        b += skip_digits(b);
        if (*a != *b || !*a) {
            return *a == *b;
        }
        a++;
        b++;
    }
}

/* The cause with this reason; a new one takes the place of the one that was said longest ago. */
static struct trouble_cause *find_cause(struct trouble *trouble)
{
    struct trouble_cause *oldest = trouble->causes;
    for (unsigned i = 0; i < TROUBLE_CAUSES_MAX; i++) {
        struct trouble_cause *cause = &trouble->causes[i];
        if (cause->reason[0] && same_cause(cause->reason, trouble->reason)) {
            return cause;
        }
        oldest = cause->said_ms < oldest->said_ms ? cause : oldest;
    }
    *oldest = (struct trouble_cause){0};
    memcpy(oldest->reason, trouble->reason, sizeof oldest->reason);
    return oldest;
}

static void say(struct trouble *trouble, struct trouble_cause *cause)
{
    uint64_t now = clock_ms(), lasts_ms = now - trouble->since_ms;
    char buffer[96] = "";
    struct text more = text_over(buffer, sizeof buffer);
    if (lasts_ms >= SAY_AGAIN_MS) {
        text_add(&more, ", for ");
        text_add_seconds(&more, lasts_ms / 1000);
    } else if (cause->held_back > 0) {
        text_add(&more, " (%u times more in ", cause->held_back);
        text_add_seconds(&more, (now - cause->said_ms) / 1000);
        text_add(&more, ")");
    }
    unsigned held_back;
    if (log_sieve_pass(&trouble->sieve, now, &held_back)) {
        log_warn(trouble->log, "telegram: trouble with %s%s: %s; trying again", trouble->what,
                 buffer, trouble->reason);
        trouble->said = true;
        cause->said_ms = now;
        cause->held_back = 0;
    }
}

void trouble_begin(struct trouble *trouble, const char *reason)
{
    struct text text = text_over(trouble->reason, sizeof trouble->reason);
    text_add(&text, "%s", reason[0] ? reason : "?");
    memset(trouble->reason + text.len, 0, sizeof trouble->reason - text.len);
    if (!trouble->on) {
        trouble->on = true;
        trouble->said = false;
        trouble->since_ms = clock_ms();
    }
    struct trouble_cause *cause = find_cause(trouble);
    if (cause->said_ms == 0 || clock_ms() - cause->said_ms >= SAY_AGAIN_MS) {
        say(trouble, cause);
    } else {
        cause->held_back++;
    }
}

void trouble_end(struct trouble *trouble)
{
    if (!trouble->on) {
        return;
    }
    trouble->on = false;
    char span[32];
    struct text text = text_over(span, sizeof span);
    text_add_seconds(&text, (clock_ms() - trouble->since_ms) / 1000);
    unsigned held_back;
    if (trouble->said && log_sieve_pass(&trouble->sieve, clock_ms(), &held_back)) {
        log_info(trouble->log, "telegram: %s works again after %s", trouble->what, span);
    }
}
