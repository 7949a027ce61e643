/* tally: what there is of each of many, and in all: sessions and bytes by person, by day, … */
#ifndef PAMTUNNEL_CTL_TALLY_H
#define PAMTUNNEL_CTL_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_entry {
    char *key;
    uint64_t count, seconds, bytes;
};

/* Zero-initialised is empty. */
struct tally {
    struct tally_entry *entries; /* by key, until tally_rank() */
    size_t count, room;
};

/* Adds one, and these. The key is copied. 0 or -ENOMEM. */
int tally_add(struct tally *tally, const char *key, uint64_t count, uint64_t seconds,
              uint64_t bytes);
/* The most first, and what is equal by key. Nothing is added after that. */
void tally_rank(struct tally *tally);
void tally_clear(struct tally *tally);

#endif
