#include "base/help.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 2, WORDS_COLUMN = 25, WORDS_WIDTH = HELP_WIDTH - WORDS_COLUMN };

/* How many characters of the words go into one line; those at its end that are blanks do not. */
static size_t fitting(const char *words)
{
    size_t len = strlen(words), blank = 0, semicolon = 0;
    if (len <= WORDS_WIDTH) {
        return len;
    }
    for (size_t i = 0; i <= WORDS_WIDTH; i++) {
        blank = words[i] == ' ' ? i : blank;
        semicolon = i > 0 && words[i - 1] == ';' ? i : semicolon;
    }
    return blank > WORDS_WIDTH / 2 ? blank : semicolon ? semicolon : blank ? blank : WORDS_WIDTH;
}

void help_row(const char *name, const char *words)
{
    printf("%*s%-*s ", NAME_COLUMN, "", WORDS_COLUMN - NAME_COLUMN - 1, name);
    for (;;) {
        size_t len = fitting(words);
        printf("%.*s\n", (int)len, words);
        words += len + strspn(words + len, " ");
        if (!*words) {
            return;
        }
        printf("%*s", WORDS_COLUMN, "");
    }
}
