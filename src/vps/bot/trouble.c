#include "vps/bot/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void trouble_init(struct trouble *trouble, const struct log *log, const char *what)
{
    *trouble = (struct trouble){.log = log, .what = what};
}

void trouble_begin(struct trouble *trouble, const char *reason)
{
    char bounded[sizeof trouble->reason];
    struct text text = text_over(bounded, sizeof bounded);
    text_add(&text, "%s", reason);
    if (trouble->on && strcmp(trouble->reason, bounded) == 0) {
        return;
    }
    if (!trouble->on) {
        trouble->on = true;
        trouble->since_ms = clock_ms();
    }
    memcpy(trouble->reason, bounded, sizeof bounded);
    unsigned held_back;
    if (log_sieve_pass(&trouble->sieve, clock_ms(), &held_back)) {
        log_warn(trouble->log, "telegram: trouble with %s: %s; trying again", trouble->what,
                 trouble->reason);
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
    if (log_sieve_pass(&trouble->sieve, clock_ms(), &held_back)) {
        log_info(trouble->log, "telegram: %s works again after %s", trouble->what, span);
    }
}
