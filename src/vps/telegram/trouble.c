#include "vps/telegram/trouble.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { SAY_AGAIN_MS = 10 * 60 * 1000 };

int trouble_init(struct trouble *trouble, uv_loop_t *loop, const struct log *log, const char *what)
{
    *trouble = (struct trouble){.log = log, .what = what};
    trouble->sieve = sieve_new(loop, log, 1, SAY_AGAIN_MS);
    return trouble->sieve ? 0 : -ENOMEM;
}

void trouble_done(struct trouble *trouble)
{
    sieve_free(trouble->sieve);
    trouble->sieve = NULL;
}

/* "retry after 5" and "retry after 17" are one cause: "telegram: sending: retry after #". */
static void add_cause(const struct trouble *trouble, struct text *cause)
{
    text_add(cause, "telegram: %s: ", trouble->what);
    for (const char *at = trouble->reason; *at;) {
        size_t digits = strspn(at, "0123456789"), rest = strcspn(at + digits, "0123456789");
        text_add(cause, "%s%.*s", digits ? "#" : "", (int)rest, at + digits);
        at += digits + rest;
    }
}

/* What the sieve holds back was not said, and may be said the next time. */
static void say(struct trouble *trouble, const char *cause)
{
    uint64_t now = clock_ms(), lasts_ms = now - trouble->since_ms;
    char span[48] = "";
    struct text text = text_over(span, sizeof span);
    if (lasts_ms >= SAY_AGAIN_MS) {
        text_add(&text, ", for ");
        text_add_seconds(&text, lasts_ms / 1000);
    }
    if (sieve_log(trouble->sieve, cause, LOG_WARN, "telegram: trouble with %s%s: %s; trying again",
                  trouble->what, span, trouble->reason)) {
        struct text said = text_over(trouble->said, sizeof trouble->said);
        text_add(&said, "%s", cause);
        trouble->said_ms = now;
    }
}

void trouble_begin(struct trouble *trouble, const char *reason)
{
    struct text text = text_over(trouble->reason, sizeof trouble->reason);
    text_add(&text, "%s", reason[0] ? reason : "?");
    if (!trouble->on) {
        trouble->on = true;
        trouble->said[0] = '\0';
        trouble->since_ms = clock_ms();
    }
    char cause[sizeof trouble->said];
    struct text name = text_over(cause, sizeof cause);
    add_cause(trouble, &name);
    if (strcmp(trouble->said, cause) != 0 || clock_ms() - trouble->said_ms >= SAY_AGAIN_MS) {
        say(trouble, cause);
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
    if (trouble->said[0]) { /* the end of what nobody heard of is no news */
        log_info(trouble->log, "telegram: %s works again after %s", trouble->what, span);
    }
}
