#include "ctl/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
static const int64_t DAY_MS = (int64_t)24 * HOUR_MS;

/* "12h": so long ago. */
static int parse_ago(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    static const struct {
        char letter;
        int64_t ms;
    } UNITS[] = {
        {'s', SECOND_MS}, {'m', MINUTE_MS}, {'h', HOUR_MS}, {'d', DAY_MS}, {'w', 7 * DAY_MS}};
    size_t digits = strspn(text, "0123456789");
    int64_t number;
    if (digits < 1 || digits > 6 || !text[digits] || text[digits + 1] ||
        sscanf(text, "%6" SCNd64, &number) != 1) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (UNITS[i].letter == text[digits]) {
            *ret_ms = now_ms - number * UNITS[i].ms;
            return 0;
        }
    }
    return -EINVAL;
}

/* Digits stand for themselves ('9'), everything else for itself. */
static bool has_form(const char *text, const char *form)
{
    for (; *form; form++, text++) {
        bool fits = *form == '9' ? *text >= '0' && *text <= '9' : *text == *form;
        if (!fits) {
            return false;
        }
    }
    return *text == '\0';
}

static const struct {
    const char *form;
    int64_t span_ms; /* what it names */
} FORMS[] = {
    {"9999-99-99", (int64_t)24 * HOUR_MS},
    {"9999-99-99 99:99", MINUTE_MS},
    {"9999-99-99T99:99", MINUTE_MS},
    {"9999-99-99T99:99Z", MINUTE_MS},
    {"9999-99-99 99:99:99", SECOND_MS},
    {"9999-99-99T99:99:99", SECOND_MS},
    {"9999-99-99T99:99:99Z", SECOND_MS},
    {"9999-99-99T99:99:99.999Z", 1}, /* as pamctl audit prints it */
};

static int64_t span_of(const char *text)
{
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (has_form(text, FORMS[i].form)) {
            return FORMS[i].span_ms;
        }
    }
    return 0;
}

/* timegm(3) takes the 31st of June for the 1st of July. */
static bool is_in_calendar(const struct tm *wanted, time_t at)
{
    struct tm found;
    return gmtime_r(&at, &found) && found.tm_mday == wanted->tm_mday &&
           found.tm_mon == wanted->tm_mon && found.tm_hour == wanted->tm_hour &&
           found.tm_min == wanted->tm_min && found.tm_sec == wanted->tm_sec;
}

int when_parse(const char *text, int64_t now_ms, bool is_end, int64_t *ret_ms)
{
    struct tm utc = {.tm_isdst = 0};
    int64_t span_ms = span_of(text);
    int ms = 0;
    if (span_ms == 0) {
        return parse_ago(text, now_ms, ret_ms);
    }
    sscanf(text, "%4d-%2d-%2d%*1c%2d:%2d:%2d.%3d", &utc.tm_year, &utc.tm_mon, &utc.tm_mday,
           &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &ms);
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    struct tm wanted = utc;
    time_t at = timegm(&utc);
    if (!is_in_calendar(&wanted, at)) {
        return -EINVAL;
    }
    *ret_ms = (int64_t)at * 1000 + ms + (is_end ? span_ms : 0);
    return 0;
}
