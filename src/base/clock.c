#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Not uv_now(), which stands still during a turn; threads without a loop ask, too. */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t clock_unix(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *clock_text(int64_t unix_s, char *dst)
{
    struct tm utc;
    time_t at = (time_t)unix_s;
    if (!gmtime_r(&at, &utc) || strftime(dst, CLOCK_TEXT_MAX, "%Y-%m-%d %H:%M UTC", &utc) == 0) {
        snprintf(dst, CLOCK_TEXT_MAX, "no time");
    }
    return dst;
}

char *clock_day(int64_t unix_s, char *dst)
{
    clock_text(unix_s, dst);
    dst[strcspn(dst, " ")] = '\0';
    return dst;
}
