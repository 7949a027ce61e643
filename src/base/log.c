#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static const char *const LEVEL_NAMES[] = {"error", "warn", "info", "debug", "trace"};

int log_level_parse(const char *text, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof LEVEL_NAMES / sizeof *LEVEL_NAMES; i++) {
        if (strcasecmp(text, LEVEL_NAMES[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return LEVEL_NAMES[level];
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    if (!log || level > log->level) {
        return;
    }
    int saved_errno = errno;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_make_visible(line); /* a line is one line, whatever a stranger put into it */

    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(log->stream, "%s.%03ldZ %-5s %s\n", stamp, now.tv_nsec / 1000000, LEVEL_NAMES[level],
            line);
    fflush(log->stream);
    errno = saved_errno;
}
