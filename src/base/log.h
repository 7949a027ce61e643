/*
 * log: lines for the person who runs an agent, on one stream (stderr).
 *
 * Only agents log; libraries return errors. A line is
 *     2026-11-22T13:51:00.123Z info  session k3f9q2wx: waiting -> connected
 * or, to the journal, which has the time and takes the priority off, sd-daemon(3):
 *     <6>info  session k3f9q2wx: waiting -> connected
 * Control characters, and characters that reverse or hide others, show as "?", so that nothing a
 * peer or a user sent can forge a line. errno is preserved.
 */
#ifndef PAMTUNNEL_BASE_LOG_H
#define PAMTUNNEL_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

struct log {
    FILE *stream;
    enum log_level level; /* lines above it are left out */
    bool journal;         /* the stream is the journal's */
};

/* A log on stderr, in the journal's form if it is connected to that. */
struct log log_to_stderr(enum log_level level);
/* "PROGRAM: TEXT" on stderr, an error: before there are settings, and so a log. */
void log_complain(const char *program, const char *text);

/* Reads "error", "warn", "info", "debug" or "trace". Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *ret_level);

/* "info" */
const char *log_level_name(enum log_level level);

/* Writes one line if the level is enabled; log may be NULL. Longer than 1023 bytes is cut. */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write((log), LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...)  log_write((log), LOG_WARN, __VA_ARGS__)
#define log_info(log, ...)  log_write((log), LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_DEBUG, __VA_ARGS__)
#define log_trace(log, ...) log_write((log), LOG_TRACE, __VA_ARGS__)

#endif
