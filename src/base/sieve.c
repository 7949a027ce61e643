#include "base/sieve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/timer.h"

struct cause {
    char name[192]; /* "": nobody has this place */
    struct bucket bucket;
    enum log_level level; /* of the last line that was left out */
    unsigned held_back;
    uint64_t last_ms;
};

struct sieve {
    const struct log *log;
    unsigned burst;
    uint64_t refill_ms, quiet_ms;
    struct timer *timer; /* runs while something is held back */
    bool runs;
    struct bucket all;
    unsigned others; /* left out, of causes that had to make room */
    struct cause causes[SIEVE_CAUSES_MAX];
};

/* ---- causes ------------------------------------------------------------------- */

static void say_held_back(const struct sieve *sieve, struct cause *cause)
{
    if (cause->held_back > 0) {
        log_write(sieve->log, cause->level, "%s: %u more line%s not shown", cause->name,
                  cause->held_back, cause->held_back == 1 ? "" : "s");
        cause->held_back = 0;
    }
}

static void say_others(struct sieve *sieve)
{
    if (sieve->others > 0) {
        log_warn(sieve->log, "%u more line%s of many causes not shown", sieve->others,
                 sieve->others == 1 ? "" : "s");
        sieve->others = 0;
    }
}

static struct cause *find(struct sieve *sieve, const char *name)
{
    struct cause *found = NULL;
    char cut[sizeof found->name];
    struct text text = text_over(cut, sizeof cut);
    text_add(&text, "%s", name[0] ? name : "?");
    for (struct cause *c = sieve->causes; c < sieve->causes + SIEVE_CAUSES_MAX; c++) {
        if (strcmp(c->name, cut) == 0) {
            return c;
        }
        if (!found || c->last_ms < found->last_ms) {
            found = c;
        }
    }
    sieve->others += found->held_back; /* many causes are no way to many lines */
    *found = (struct cause){0};
    memcpy(found->name, cut, sizeof cut);
    return found;
}

static void on_tick(void *arg)
{
    struct sieve *sieve = arg;
    uint64_t now = clock_ms();
    sieve->runs = false;
    say_others(sieve);
    for (struct cause *c = sieve->causes; c < sieve->causes + SIEVE_CAUSES_MAX; c++) {
        if (c->held_back > 0 && now - c->last_ms >= sieve->quiet_ms) {
            say_held_back(sieve, c);
        }
        sieve->runs = sieve->runs || c->held_back > 0;
    }
    if (sieve->runs) {
        timer_set(sieve->timer, sieve->quiet_ms);
    }
}

/* ---- lines -------------------------------------------------------------------- */

static bool pass(struct sieve *sieve, struct cause *cause, uint64_t now)
{
    bucket_refill(&cause->bucket, sieve->refill_ms, now);
    /* A cause that has none left must not take from what all have together: hence this order. */
    return cause->bucket.spent < sieve->burst &&
           bucket_take(&sieve->all, SIEVE_ALL * sieve->burst, sieve->refill_ms / SIEVE_ALL, now) &&
           bucket_take(&cause->bucket, sieve->burst, sieve->refill_ms, now);
}

static void hold_back(struct sieve *sieve, struct cause *cause, enum log_level level)
{
    cause->held_back++;
    cause->level = level;
    if (!sieve->runs) {
        sieve->runs = true;
        timer_set(sieve->timer, sieve->quiet_ms);
    }
}

bool sieve_log(struct sieve *sieve, const char *name, enum log_level level, const char *format, ...)
{
    if (!sieve->log || level > sieve->log->level) {
        return false;
    }
    uint64_t now = clock_ms();
    struct cause *cause = find(sieve, name);
    cause->last_ms = now;
    if (!pass(sieve, cause, now)) {
        hold_back(sieve, cause, level);
        return false;
    }
    char line[960], more[48] = "";
    struct text text = text_over(line, sizeof line);
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    if (cause->held_back > 0) {
        snprintf(more, sizeof more, " (%u more like this not shown)", cause->held_back);
        cause->held_back = 0;
    }
    log_write(sieve->log, level, "%s%s", line, more);
    return true;
}

/* ---- life --------------------------------------------------------------------- */

struct sieve *sieve_new(uv_loop_t *loop, const struct log *log, unsigned burst, uint64_t refill_ms)
{
    struct sieve *sieve = calloc(1, sizeof *sieve);
    if (!sieve) {
        return NULL;
    }
    sieve->log = log;
    sieve->burst = burst;
    sieve->refill_ms = refill_ms;
    /* Never sooner than a line may pass, or the count would outrun what it counts. */
    sieve->quiet_ms = refill_ms > SIEVE_QUIET_MS ? refill_ms : SIEVE_QUIET_MS;
    sieve->timer = timer_new(loop, on_tick, sieve);
    if (!sieve->timer) {
        free(sieve);
        return NULL;
    }
    return sieve;
}

void sieve_free(struct sieve *sieve)
{
    if (!sieve) {
        return;
    }
    /* At the end everything is said: a log must not claim less than happened. */
    for (unsigned i = 0; i < SIEVE_CAUSES_MAX; i++) {
        say_held_back(sieve, &sieve->causes[i]);
    }
    say_others(sieve);
    timer_free(sieve->timer);
    free(sieve);
}
