#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct text text_over(char *buffer, size_t cap)
{
    buffer[0] = '\0';
    return (struct text){.start = buffer, .cap = cap};
}

/* Takes off the bytes of a UTF-8 character that was cut in the middle. */
static size_t whole_characters(const char *start, size_t len)
{
    size_t end = len;
    while (end > 0 && ((unsigned char)start[end - 1] & 0xc0) == 0x80) {
        end--;
    }
    if (end == 0) {
        return len;
    }
    unsigned char lead = (unsigned char)start[end - 1];
    size_t needs = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return len - (end - 1) < needs ? end - 1 : len;
}

const char *text_phrase(const struct text *text, const char *phrase)
{
    return text->translate ? text->translate(phrase) : phrase;
}

struct text text_for_reader_of(const struct text *other, char *buffer, size_t cap)
{
    struct text text = text_over(buffer, cap);
    text.translate = other->translate;
    return text;
}

void text_add_v(struct text *text, const char *format, va_list args)
{
    /* Later parts that happen to fit would read as if nothing were missing. */
    if (text->cut) {
        return;
    }
    size_t room = text->cap - text->len;
    int wanted = vsnprintf(text->start + text->len, room, text_phrase(text, format), args);
    if (wanted < 0) {
        text->start[text->len] = '\0';
        text->cut = true;
    } else if ((size_t)wanted >= room) {
        text->len = whole_characters(text->start, text->cap - 1);
        text->start[text->len] = '\0';
        text->cut = true;
    } else {
        text->len += (size_t)wanted;
    }
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_add_v(text, format, args);
    va_end(args);
}

void text_put(struct text *text, const char *bytes, size_t len)
{
    size_t room = text->cap - 1 - text->len;
    size_t fits = len < room ? len : room;
    if (text->cut) {
        return;
    }
    memcpy(text->start + text->len, bytes, fits);
    text->len += fits;
    if (fits < len) {
        text->len = whole_characters(text->start, text->len);
        text->cut = true;
    }
    text->start[text->len] = '\0';
}

char *text_trim(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        text[--len] = '\0';
    }
    return text;
}

void text_make_visible(char *line)
{
    size_t left = strlen(line);
    const char *from = line;
    char *to = line;
    while (left > 0) {
        uint32_t character;
        if (*from >= ' ' && *from <= '~') { /* nearly always */
            *to++ = *from++;
            left--;
            continue;
        }
        size_t len = utf8_decode(from, left, &character);
        if (len == 0 || utf8_is_hidden(character)) {
            *to++ = '?';
        } else {
            memmove(to, from, len);
            to += len;
        }
        len += len == 0; /* a byte that is not UTF-8: some terminals take 9B for ESC [ */
        from += len;
        left -= len;
    }
    *to = '\0';
}

void text_quote(char *words)
{
    /* Both marks have three bytes in UTF-8. */
    const size_t len = strlen("“");
    char *from = words, *to = words;
    text_make_visible(words);
    while (*from) {
        if (strncmp(from, "“", len) == 0 || strncmp(from, "”", len) == 0) {
            *to++ = '"';
            from += len;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

void text_add_bytes(struct text *text, uint64_t bytes)
{
    static const char *const UNITS[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        text_add(text, "%" PRIu64 " B", bytes);
        return;
    }
    /* Powers of 1000, as df -H and network speeds; never "1000 kB": hence 999.5 below. */
    double value = (double)bytes / 1000;
    unsigned unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof UNITS / sizeof *UNITS) {
        value /= 1000;
        unit++;
    }
    if (value >= 9.95) {
        text_add(text, "%.0f %s", value, UNITS[unit]);
        return;
    }
    /* In whole numbers, since the mark between them is the reader's (translate). */
    unsigned tenths = (unsigned)(value * 10 + 0.5);
    text_add(text, "%u.%u %s", tenths / 10, tenths % 10, UNITS[unit]);
}

void text_add_seconds(struct text *text, uint64_t seconds)
{
    static const struct {
        const char *large, *small;
        uint64_t unit, part;
    } FORMS[] = {{"d", "h", 86400, 3600}, {"h", "min", 3600, 60}, {"min", "s", 60, 1}};

    for (unsigned i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (seconds >= FORMS[i].unit) {
            text_add(text, "%" PRIu64 " %s", seconds / FORMS[i].unit, FORMS[i].large);
            uint64_t rest = seconds % FORMS[i].unit / FORMS[i].part;
            if (rest > 0) {
                text_add(text, " %" PRIu64 " %s", rest, FORMS[i].small);
            }
            return;
        }
    }
    text_add(text, "%" PRIu64 " s", seconds);
}
