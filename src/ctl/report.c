#include "ctl/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ctl/report_sums.h"

struct report {
    struct report_sums sums;
};

const char *const REPORT_EVENTS[] = {"session.ended", "session.refused", "session.visitors", NULL};

struct report *report_new(void)
{
    return calloc(1, sizeof(struct report));
}

void report_free(struct report *report)
{
    if (!report) {
        return;
    }
    struct report_sums *sums = &report->sums;
    tally_clear(&sums->days);
    tally_clear(&sums->people);
    tally_clear(&sums->targets);
    tally_clear(&sums->gateways);
    tally_clear(&sums->ends);
    tally_clear(&sums->refusals);
    tally_clear(&sums->refused);
    tally_clear(&sums->strangers);
    free(report);
}

/* ---- rows ----------------------------------------------------------------- */

/* "-" for what the row does not say. */
static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text && text[0] ? text : "-";
}

static uint64_t number_of(const json_t *row, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(row, key));
    return number > 0 ? (uint64_t)number : 0;
}

/* By the name that the policy has, or else the account. */
static const char *person_of(const json_t *row)
{
    return text_of(row, json_object_get(row, "name") ? "name" : "person");
}

/* By the name that the policy had for it. */
static const char *machine_of(const json_t *row)
{
    return text_of(row, json_object_get(row, "target_name") ? "target_name" : "target");
}

static int count_day(struct report_sums *sums, int64_t at_ms, uint64_t seconds, uint64_t bytes)
{
    char day[REPORT_DAY_MAX];
    time_t at = (time_t)(at_ms / 1000);
    struct tm utc;
    strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&at, &utc));
    return tally_add(&sums->days, day, 1, seconds, bytes);
}

static void copy(char dst[REPORT_TEXT_MAX], const char *text)
{
    struct text cut = text_over(dst, REPORT_TEXT_MAX);
    text_add(&cut, "%s", text);
}

/* The longest ones stand in order, the longest of all first. */
static void rank(struct report_sums *sums, const struct report_session *session)
{
    unsigned place = sums->longest_count;
    while (place > 0 && sums->longest[place - 1].seconds < session->seconds) {
        place--;
    }
    if (place == REPORT_LONGEST) {
        return;
    }
    unsigned kept = sums->longest_count < REPORT_LONGEST ? sums->longest_count : REPORT_LONGEST - 1;
    memmove(&sums->longest[place + 1], &sums->longest[place],
            (kept - place) * sizeof *sums->longest);
    sums->longest[place] = *session;
    sums->longest_count = kept + 1;
}

static int add_ended(struct report_sums *sums, const json_t *row, int64_t at_ms)
{
    struct report_session session = {.ended_ms = at_ms, .seconds = number_of(row, "seconds")};
    session.bytes = number_of(row, "to_target") + number_of(row, "to_client");
    copy(session.person, person_of(row));
    copy(session.target, machine_of(row));
    copy(session.gateway, text_of(row, "gateway"));
    struct text kind = text_over(session.kind, sizeof session.kind);
    text_add(&kind, "%s", text_of(row, "kind"));
    sums->sessions++;
    /* After a crash nobody knows. */
    sums->used += number_of(row, "connections") > 0 || !json_object_get(row, "connections");
    sums->seconds += session.seconds;
    sums->bytes += session.bytes;
    if (session.seconds > 0) {
        rank(sums, &session);
    }
    int err = count_day(sums, at_ms, session.seconds, session.bytes);
    err = err < 0 ? err
                  : tally_add(&sums->people, person_of(row), 1, session.seconds, session.bytes);
    err = err < 0 ? err
                  : tally_add(&sums->targets, machine_of(row), 1, session.seconds, session.bytes);
    err = err < 0 ? err
                  : tally_add(&sums->gateways, text_of(row, "gateway"), 1, session.seconds,
                              session.bytes);
    return err < 0 ? err : tally_add(&sums->ends, text_of(row, "word"), 1, 0, 0);
}

static int add_refused(struct report_sums *sums, const json_t *row)
{
    sums->refusal_count++;
    int err = tally_add(&sums->refused, person_of(row), 1, 0, 0);
    return err < 0 ? err : tally_add(&sums->refusals, text_of(row, "why"), 1, 0, 0);
}

static int add_visitors(struct report_sums *sums, const json_t *row)
{
    uint64_t count = number_of(row, "count");
    sums->stranger_count += count;
    return tally_add(&sums->strangers, machine_of(row), count, 0, 0);
}

int report_add(struct report *report, const json_t *row)
{
    struct report_sums *sums = &report->sums;
    const char *what = text_of(row, "what");
    int64_t at_ms = (int64_t)number_of(row, "at_ms");
    sums->first_ms = sums->first_ms && sums->first_ms < at_ms ? sums->first_ms : at_ms;
    sums->last_ms = sums->last_ms > at_ms ? sums->last_ms : at_ms;
    if (strcmp(what, "session.ended") == 0) {
        return add_ended(sums, row, at_ms);
    }
    if (strcmp(what, "session.refused") == 0) {
        return add_refused(sums, row);
    }
    return strcmp(what, "session.visitors") == 0 ? add_visitors(sums, row) : 0;
}

void report_write(struct report *report, const struct report_frame *frame, FILE *page)
{
    struct report_sums *sums = &report->sums;
    tally_rank(&sums->people);
    tally_rank(&sums->targets);
    tally_rank(&sums->gateways);
    tally_rank(&sums->ends);
    tally_rank(&sums->refusals);
    tally_rank(&sums->refused);
    tally_rank(&sums->strangers);
    report_page(sums, frame, page);
}
