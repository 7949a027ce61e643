#include "ctl/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

/* Where the key is, or where it belongs. */
static size_t place_of(const struct tally *tally, const char *key)
{
    size_t low = 0, high = tally->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(tally->entries[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int make_room(struct tally *tally)
{
    size_t room = tally->room ? 2 * tally->room : ROOM_FIRST;
    struct tally_entry *entries = reallocarray(tally->entries, room, sizeof *entries);
    if (!entries) {
        return -ENOMEM;
    }
    tally->entries = entries;
    tally->room = room;
    return 0;
}

static int insert(struct tally *tally, size_t place, const char *key)
{
    char *copy = NULL;
    if ((tally->count == tally->room && make_room(tally) < 0) || !(copy = strdup(key))) {
        return -ENOMEM;
    }
    struct tally_entry *at = tally->entries + place;
    memmove(at + 1, at, (tally->count - place) * sizeof *at);
    *at = (struct tally_entry){.key = copy};
    tally->count++;
    return 0;
}

int tally_add(struct tally *tally, const char *key, uint64_t count, uint64_t seconds,
              uint64_t bytes)
{
    size_t place = place_of(tally, key);
    if (place == tally->count || strcmp(tally->entries[place].key, key) != 0) {
        int err = insert(tally, place, key);
        if (err < 0) {
            return err;
        }
    }
    struct tally_entry *entry = &tally->entries[place];
    entry->count += count;
    entry->seconds += seconds;
    entry->bytes += bytes;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct tally_entry *one = a, *other = b;
    if (one->count != other->count) {
        return one->count < other->count ? 1 : -1;
    }
    return strcmp(one->key, other->key);
}

void tally_rank(struct tally *tally)
{
    if (tally->count > 0) {
        qsort(tally->entries, tally->count, sizeof *tally->entries, compare);
    }
}

void tally_clear(struct tally *tally)
{
    for (size_t i = 0; i < tally->count; i++) {
        free(tally->entries[i].key);
    }
    free(tally->entries);
    *tally = (struct tally){0};
}
