/*
 * A file of a zone lists moments at which its clocks were changed, and ends with a rule for all
 * that comes later (RFC 9636). Files of today's packages may list hardly anything but the rule.
 * The rule is POSIX's: what it says of a year is worked out each time, since nobody asks often.
 */
#include "vps/policy/zone.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vps/policy/hours.h"

enum { FILE_MAX = 64 * 1024, HEADER = 44, NAME_MAX_LEN = 64, DAY_S = 86400, HOUR_S = 3600 };

/* When in a year clocks are changed. */
struct turn {
    enum { TURN_MONTH, TURN_JULIAN, TURN_DAY } form; /* Mm.w.d; Jn, without 29 February; n */
    int month, week, day;
    int32_t time_s; /* after the midnight of that day, by the clock before it */
};

struct rule {
    int32_t standard, summer; /* ahead of UTC, in seconds */
    bool has_summer;
    struct turn begin, end; /* of summer */
};

struct change {
    int64_t at;
    int32_t offset;
};

struct zone {
    struct rule rule;
    bool has_rule;
    int32_t first; /* before the first change */
    size_t count;
    struct change changes[];
};

/* ---- the rule -------------------------------------------------------------- */

static bool read_number(const char **at, int most, int *ret_number)
{
    const char *start = *at;
    int number = 0;
    while (isdigit((unsigned char)**at) && *at - start < 3) {
        number = number * 10 + (*(*at)++ - '0');
    }
    *ret_number = number;
    return *at > start && number <= most;
}

/* [+-]HH[:MM[:SS]] */
static bool read_span(const char **at, int32_t *ret_seconds)
{
    static const int UNITS[] = {HOUR_S, 60, 1};
    int sign = **at == '-' ? -1 : 1, number;
    *at += **at == '-' || **at == '+';
    *ret_seconds = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (!read_number(at, i == 0 ? 167 : 59, &number)) {
            return false;
        }
        *ret_seconds += sign * number * UNITS[i];
        if (i == 2 || **at != ':') {
            break;
        }
        ++*at;
    }
    return true;
}

/* "CET" or "<+03>": what it is called does not matter here. */
static bool skip_name(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        const char *end = strchr(*at, '>');
        *at = end ? end + 1 : start;
        return end != NULL;
    }
    while (isalpha((unsigned char)**at)) {
        ++*at;
    }
    return *at - start >= 3;
}

static bool read_turn(const char **at, struct turn *turn)
{
    *turn = (struct turn){.form = TURN_DAY, .time_s = 2 * HOUR_S};
    if (*(*at)++ != ',') {
        return false;
    }
    if (**at == 'M') {
        ++*at;
        turn->form = TURN_MONTH;
        if (!read_number(at, 12, &turn->month) || turn->month < 1 || *(*at)++ != '.' ||
            !read_number(at, 5, &turn->week) || turn->week < 1 || *(*at)++ != '.' ||
            !read_number(at, 6, &turn->day)) {
            return false;
        }
    } else {
        turn->form = **at == 'J' ? TURN_JULIAN : TURN_DAY;
        *at += **at == 'J';
        if (!read_number(at, 365, &turn->day) || (turn->form == TURN_JULIAN && turn->day < 1)) {
            return false;
        }
    }
    if (**at != '/') {
        return true;
    }
    ++*at;
    return read_span(at, &turn->time_s);
}

/* POSIX counts westward. */
static int read_rule(const char *text, struct rule *ret_rule)
{
    struct rule rule = {0};
    const char *at = text;
    if (!skip_name(&at) || !read_span(&at, &rule.standard)) {
        return -EINVAL;
    }
    rule.standard = -rule.standard;
    rule.summer = rule.standard + HOUR_S;
    if (*at) {
        rule.has_summer = true;
        if (!skip_name(&at) || (*at != ',' && !read_span(&at, &rule.summer))) {
            return -EINVAL;
        }
        if (rule.summer != rule.standard + HOUR_S) {
            rule.summer = -rule.summer;
        }
        if (!read_turn(&at, &rule.begin) || !read_turn(&at, &rule.end) || *at) {
            return -EINVAL;
        }
    }
    *ret_rule = rule;
    return 0;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* By the clock before it. */
static int64_t turn_of_year(const struct turn *turn, int year)
{
    if (turn->form != TURN_MONTH) {
        int day = turn->form == TURN_DAY             ? turn->day
                  : is_leap(year) && turn->day >= 60 ? turn->day
                                                     : turn->day - 1;
        return wall_clock_day(year, 1, 1) + (int64_t)day * DAY_S + turn->time_s;
    }
    int64_t first = wall_clock_day(year, turn->month, 1);
    int64_t next = turn->month == 12 ? wall_clock_day(year + 1, 1, 1)
                                     : wall_clock_day(year, turn->month + 1, 1);
    unsigned weekday = (wall_clock_of(first).weekday + 1) % 7; /* 0: Sunday */
    int64_t at = first +
                 (((unsigned)turn->day + 7 - weekday) % 7 + (unsigned)(turn->week - 1) * 7) *
                     (int64_t)DAY_S;
    while (at >= next) { /* the fifth is the last one */
        at -= 7 * DAY_S;
    }
    return at + turn->time_s;
}

static int32_t offset_by_rule(const struct rule *rule, int64_t unix_s)
{
    if (!rule->has_summer) {
        return rule->standard;
    }
    int year = wall_clock_of(unix_s + rule->standard).year;
    int64_t begin = turn_of_year(&rule->begin, year) - rule->standard;
    int64_t end = turn_of_year(&rule->end, year) - rule->summer;
    bool summer = begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;
    return summer ? rule->summer : rule->standard;
}

int32_t zone_offset(const struct zone *zone, int64_t unix_s)
{
    if (!zone) {
        return 0;
    }
    size_t low = 0, high = zone->count; /* how many changes are over by then */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= unix_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->count && zone->has_rule) {
        return offset_by_rule(&zone->rule, unix_s);
    }
    return low == 0 ? zone->first : zone->changes[low - 1].offset;
}

/* ---- a file ----------------------------------------------------------------- */

struct counts {
    uint32_t isut, isstd, leap, times, types, chars;
};

static uint32_t u32_of(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t i64_of(const uint8_t *at)
{
    return (int64_t)((uint64_t)u32_of(at) << 32 | u32_of(at + 4));
}

/* *at: where the block's header begins, and then its data. How long that is, or 0. */
static size_t open_block(const uint8_t *bytes, size_t len, size_t *at, unsigned time_size,
                         struct counts *ret_counts)
{
    uint32_t numbers[6];
    if (len - *at < HEADER || memcmp(bytes + *at, "TZif", 4) != 0 || bytes[*at + 4] < '2') {
        return 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        numbers[i] = u32_of(bytes + *at + 20 + (size_t)4 * i);
        if (numbers[i] > FILE_MAX) {
            return 0;
        }
    }
    *ret_counts = (struct counts){numbers[0], numbers[1], numbers[2],
                                  numbers[3], numbers[4], numbers[5]};
    *at += HEADER;
    size_t size = (size_t)numbers[3] * (time_size + 1) + (size_t)numbers[4] * 6 + numbers[5] +
                  (size_t)numbers[2] * (time_size + 4) + numbers[1] + numbers[0];
    return len - *at >= size ? size : 0;
}

static int fill(struct zone *zone, const uint8_t *data, const struct counts *counts)
{
    const uint8_t *kinds = data + (size_t)8 * counts->times, *types = kinds + counts->times;
    zone->first = (int32_t)u32_of(types);
    for (size_t i = 0; i < counts->times; i++) {
        if (kinds[i] >= counts->types) {
            return -EINVAL;
        }
        zone->changes[i].at = i64_of(data + 8 * i);
        zone->changes[i].offset = (int32_t)u32_of(types + (size_t)6 * kinds[i]);
        if (i > 0 && zone->changes[i].at <= zone->changes[i - 1].at) {
            return -EINVAL;
        }
    }
    zone->count = counts->times;
    return 0;
}

/* "\nRULE\n" at the end of the file. */
static int fill_rule(struct zone *zone, const uint8_t *footer, size_t len)
{
    char text[128];
    const uint8_t *end = len > 1 && footer[0] == '\n' ? memchr(footer + 1, '\n', len - 1) : NULL;
    if (!end || (size_t)(end - footer) > sizeof text) {
        return -EINVAL;
    }
    size_t size = (size_t)(end - footer) - 1;
    memcpy(text, footer + 1, size);
    text[size] = '\0';
    zone->has_rule = size > 0;
    return size > 0 ? read_rule(text, &zone->rule) : 0;
}

int zone_read(const uint8_t *bytes, size_t len, struct zone **ret_zone)
{
    struct counts counts;
    size_t at = 0, size = open_block(bytes, len, &at, 4, &counts); /* the old block, first */
    if (at == 0 || (size == 0 && counts.types > 0)) {
        return -EINVAL;
    }
    at += size;
    size = open_block(bytes, len, &at, 8, &counts);
    if (size == 0 || counts.types == 0) {
        return -EINVAL;
    }
    struct zone *zone = calloc(1, sizeof *zone + counts.times * sizeof zone->changes[0]);
    if (!zone) {
        return -ENOMEM;
    }
    int err = fill(zone, bytes + at, &counts);
    err = err < 0 ? err : fill_rule(zone, bytes + at + size, len - at - size);
    if (err < 0) {
        free(zone);
        return err;
    }
    *ret_zone = zone;
    return 0;
}

static int read_file(const char *folder, const char *name, struct zone **ret_zone)
{
    char path[256];
    snprintf(path, sizeof path, "%.128s/%.*s", folder, NAME_MAX_LEN, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    uint8_t *bytes = malloc(FILE_MAX);
    ssize_t len = bytes ? read(fd, bytes, FILE_MAX) : -1;
    int err = !bytes ? -ENOMEM : len < 0 ? -errno : zone_read(bytes, (size_t)len, ret_zone);
    close(fd);
    free(bytes);
    return err;
}

/* A name of a zone, which leads nowhere but into the folder. */
static bool is_plain(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
    return len > 0 && !name[len] && len <= NAME_MAX_LEN && name[0] != '/';
}

int zone_new(const char *folder, const char *name, struct zone **ret_zone, struct why *why)
{
    struct rule rule = {0};
    if (is_plain(name) && read_file(folder, name, ret_zone) == 0) {
        return 0;
    }
    if (strcmp(name, "UTC") != 0 && read_rule(name, &rule) < 0) {
        return why_set(why, -ENOENT,
                       "%.80s has no such zone: write one like Europe/Berlin, or its rule, as in "
                       "\"CET-1CEST,M3.5.0,M10.5.0/3\"",
                       folder);
    }
    struct zone *zone = calloc(1, sizeof *zone);
    if (!zone) {
        return why_set(why, -ENOMEM, "out of memory");
    }
    zone->rule = rule;
    zone->has_rule = true;
    *ret_zone = zone;
    return 0;
}

void zone_free(struct zone *zone)
{
    free(zone);
}
