#include "vps/chat/readers.h"

#include <stddef.h>

/* The place of this person, or with 0 a free one. READERS_MAX: there is none. */
static unsigned find(const struct readers *readers, int64_t person)
{
    unsigned i = 0;
    while (i < READERS_MAX && readers->others[i].person != person) {
        i++;
    }
    return i;
}

void readers_learn(struct readers *readers, int64_t person, enum language language)
{
    unsigned place = find(readers, person);
    if (place == READERS_MAX && language == LANGUAGE_ENGLISH) {
        return;
    }
    if (place == READERS_MAX) {
        place = find(readers, 0);
    }
    if (place == READERS_MAX) {
        place = readers->next++ % READERS_MAX;
    }
    readers->others[place] = (struct reader){.person = person, .language = language};
}

enum language readers_language(const struct readers *readers, int64_t person)
{
    unsigned place = readers ? find(readers, person) : READERS_MAX;
    return place < READERS_MAX ? readers->others[place].language : LANGUAGE_ENGLISH;
}

struct text readers_text(const struct readers *readers, int64_t person, char *buffer, size_t size)
{
    return language_text(readers_language(readers, person), buffer, size);
}
