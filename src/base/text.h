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
    /*
     * Its reader's language: returns what this phrase is there, with the same placeholders, or the
     * phrase itself. NULL: everything stays as it stands in the program.
     */
    const char *(*translate)(const char *phrase);
};

/* cap is at least 1. The buffer must outlive it. */
struct text text_over(char *buffer, size_t cap);
/*
 * Appends; does nothing once something was cut. The format is a phrase (translate), what is put
 * into it is not: whoever wants that translated says text_phrase() of it.
 */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_v(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Appends so many bytes as they are, no phrase: as text_add() does, and quicker. */
void text_put(struct text *text, const char *bytes, size_t len);

/* A phrase of the program, as this text's reader says it. */
const char *text_phrase(const struct text *text, const char *phrase) __attribute__((format_arg(2)));
/* The same as text_over(), for the reader of another text. */
struct text text_for_reader_of(const struct text *other, char *buffer, size_t cap);

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
