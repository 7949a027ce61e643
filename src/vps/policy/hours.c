#include "vps/policy/hours.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { WEEK = 7, DAY_MINUTES = 24 * 60, DAY_S = 86400, ALL_DAYS = (1 << WEEK) - 1 };

static const char *const DAYS[WEEK] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- reading -------------------------------------------------------------- */

/* -1 if it is none. */
static int read_day(const char **at)
{
    for (int day = 0; day < WEEK; day++) {
        if (strncasecmp(*at, DAYS[day], 3) == 0 && !isalpha((unsigned char)(*at)[3])) {
            *at += 3;
            return day;
        }
    }
    return -1;
}

/* "mon-fri,sun" and the blanks behind it. */
static int read_days(const char **at, uint8_t *ret_days)
{
    uint8_t days = 0;
    do {
        *at += **at == ',';
        int first = read_day(at), last = first;
        if (first >= 0 && **at == '-') {
            ++*at;
            last = read_day(at);
        }
        if (first < 0 || last < 0) {
            return -EINVAL;
        }
        for (int day = first;; day = (day + 1) % WEEK) {
            days |= (uint8_t)(1U << day);
            if (day == last) {
                break;
            }
        }
    } while (**at == ',');
    if (**at != ' ') {
        return -EINVAL;
    }
    *at += strspn(*at, " ");
    *ret_days = days;
    return 0;
}

/* "8:00", "08:00", "24:00" */
static int read_time(const char **at, uint16_t *ret_minutes)
{
    unsigned parts[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        const char *start = *at;
        while (isdigit((unsigned char)**at) && *at - start < 2) {
            parts[i] = parts[i] * 10 + (unsigned)(*(*at)++ - '0');
        }
        if (*at == start || (i == 1 && *at - start != 2) || (i == 0 && *(*at)++ != ':')) {
            return -EINVAL;
        }
    }
    if (parts[1] > 59 || parts[0] * 60 + parts[1] > DAY_MINUTES) {
        return -EINVAL;
    }
    *ret_minutes = (uint16_t)(parts[0] * 60 + parts[1]);
    return 0;
}

int hours_parse(const char *text, struct hours *ret_hours, struct why *why)
{
    struct hours hours = {.days = ALL_DAYS};
    const char *at = text;
    if (isalpha((unsigned char)*at) && read_days(&at, &hours.days) < 0) {
        return why_set(why, -EINVAL,
                       "days are mon, tue, wed, thu, fri, sat, sun, as in mon-fri "
                       "or sat,sun");
    }
    if (read_time(&at, &hours.from) < 0 || *at++ != '-' || read_time(&at, &hours.to) < 0 || *at) {
        return why_set(why, -EINVAL, "times are two of 24 hours, as in 08:00-18:00");
    }
    if (hours.from == hours.to || hours.from == DAY_MINUTES || hours.to == 0) {
        return why_set(why, -EINVAL, "it is never open, or always: a whole day is 00:00-24:00");
    }
    *ret_hours = hours;
    return 0;
}

/* ---- deciding ------------------------------------------------------------- */

static bool on_day(const struct hours *hours, unsigned weekday)
{
    return hours->days >> (weekday % WEEK) & 1;
}

bool hours_contain(const struct hours *hours, const struct wall_clock *when)
{
    if (hours->from < hours->to) {
        return on_day(hours, when->weekday) && when->minute >= hours->from &&
               when->minute < hours->to;
    }
    return (on_day(hours, when->weekday) && when->minute >= hours->from) ||
           (on_day(hours, when->weekday + WEEK - 1) && when->minute < hours->to);
}

/* ---- days ----------------------------------------------------------------- */

/* Days since 1970 of the Gregorian calendar, counted in years that begin with March. */
static int64_t days_until(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t wall_clock_day(int year, int month, int day)
{
    return days_until(year, month, day) * DAY_S;
}

struct wall_clock wall_clock_of(int64_t local)
{
    int64_t day = local / DAY_S - (local % DAY_S < 0), z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100),
            month = (5 * of_year + 2) / 153;
    return (struct wall_clock){
        .year = (int)(year + era * 400 + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
        .weekday = (unsigned)(((day + 3) % WEEK + WEEK) % WEEK), /* 1970 began on a Thursday */
        .minute = (unsigned)((local - day * DAY_S) / 60),
    };
}
