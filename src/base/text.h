/*
 * text: builds strings in a buffer of the caller's. It never overruns; what did
 * not fit is cut off at a UTF-8 boundary and remembered in `cut`. The buffer is
 * a valid C string at all times.
 */
#ifndef PAMTUNNEL_BASE_TEXT_H
#define PAMTUNNEL_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *start;
    size_t len;
    size_t cap;
    bool cut;
};

/* cap is at least 1. The buffer must outlive it. */
struct text text_over(char *buffer, size_t cap);
/* Appends; does nothing once something was cut. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_v(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Cuts white space off both ends, in place. Returns where the rest begins. */
char *text_trim(char *text);
/*
 * Replaces each character that nobody sees (utf8.h), and each byte that is not UTF-8, with '?'.
 * The result is one line, reads as it is written, and does nothing to a terminal.
 */
void text_make_visible(char *line);
/*
 * The same for other people's words that are put between “ and ” in a sentence of ours: these
 * two characters become '"', so that it is always clear where the words end.
 */
void text_quote(char *words);

/* The number in base units with a unit a person reads: "512 B", "1.4 MB". */
void text_add_bytes(struct text *text, uint64_t bytes);
/* A span of time as a person says it: "45 s", "3 min 20 s", "2 h 5 min". */
void text_add_seconds(struct text *text, uint64_t seconds);

#endif
