#include "base/help.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 2 };

/* How many characters of the words go into one line; those at its end that are blanks do not. */
static size_t fitting(const char *words, size_t width)
{
    size_t len = strlen(words), blank = 0, semicolon = 0;
    if (len <= width) {
        return len;
    }
    for (size_t i = 0; i <= width; i++) {
        blank = words[i] == ' ' ? i : blank;
        semicolon = i > 0 && words[i - 1] == ';' ? i : semicolon;
    }
    /* A blank in the second half of the line, else after a ';', else wherever it must be. */
    return blank > width / 2 ? blank : semicolon ? semicolon : blank ? blank : width;
}

void help_row(unsigned column, const char *name, const char *words)
{
    /* A name wider than its column pushes the first line out, and stays readable. */
    printf("%*s%-*s ", NAME_COLUMN, "", (int)column - NAME_COLUMN - 1, name);
    for (;;) {
        size_t len = fitting(words, HELP_WIDTH - column);
        printf("%.*s\n", (int)len, words);
        words += len + strspn(words + len, " ");
        if (!*words) {
            return;
        }
        printf("%*s", (int)column, "");
    }
}
