#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* JOURNAL_STREAM is DEVICE:INODE of the journal's socket: a redirected stderr is another one. */
static bool is_journal(int fd)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat stream;
    char rest;
    return text && sscanf(text, "%llu:%llu%c", &device, &inode, &rest) == 2 &&
           fstat(fd, &stream) == 0 && stream.st_dev == device && stream.st_ino == inode;
}

struct log log_to_stderr(enum log_level level)
{
    return (struct log){.stream = stderr, .level = level, .journal = is_journal(STDERR_FILENO)};
}

enum { PREFIX_SIZE = 64 };

static void stamp(char prefix[PREFIX_SIZE])
{
    struct timespec now;
    struct tm utc;
    char seconds[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(prefix, PREFIX_SIZE, "%s.%03ldZ ", seconds, now.tv_nsec / 1000000);
}

void log_complain(const char *program, const char *text)
{
    /* <3>: LOG_ERR, for the journal (sd-daemon(3)). */
    fprintf(stderr, "%s%s: %s\n", is_journal(STDERR_FILENO) ? "<3>" : "", program, text);
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    static const int PRIORITIES[] = {3, 4, 6, 7, 7}; /* of syslog(3) */
    if (!log || level > log->level) {
        return;
    }
    /* Callers log first and return -errno afterwards. */
    int saved_errno = errno;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_make_visible(line); /* a line is one line, whatever a stranger put into it */

    char prefix[PREFIX_SIZE];
    if (log->journal) {
        snprintf(prefix, sizeof prefix, "<%d>", PRIORITIES[level]);
    } else {
        stamp(prefix);
    }
    /* In one piece: others may write to the same stream. */
    fprintf(log->stream, "%s%-5s %s\n", prefix, LEVEL_NAMES[level], line);
    fflush(log->stream);
    errno = saved_errno;
}
