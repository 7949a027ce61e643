#include "base/nearest.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 63 }; /* longer ones are near to nothing */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, of which three rows are enough. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        above[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned cost = least(above[j], row[j - 1]) + 1;
            cost = least(cost, above[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                cost = least(cost, before[j - 2] + 1);
            }
            row[j] = cost;
        }
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_len];
}

static unsigned tolerated(size_t len)
{
    /* Two changes turn a word of three letters into nearly any other. */
    return len <= 4 ? 1 : len <= 8 ? 2 : 3;
}

struct nearest nearest_to(const char *typed)
{
    return (struct nearest){.typed = typed, .distance = UINT_MAX};
}

void nearest_try(struct nearest *nearest, const char *word)
{
    size_t typed_len = strlen(nearest->typed), len = strlen(word);
    if (typed_len > WORD_MAX || len > WORD_MAX) {
        return;
    }
    unsigned far = distance(nearest->typed, typed_len, word, len);
    /* far < len: "ab" is one change from "a" and one from "cb", and resembles neither. */
    if (far < nearest->distance && far <= tolerated(len) && far < len && far < typed_len) {
        nearest->word = word;
        nearest->distance = far;
    }
}
