/*
 * nearest: the known word that somebody may have meant by one that is not known, for
 * "did you mean". Words are handed in one by one, from whatever table they stand in.
 *
 *     struct nearest nearest = nearest_to("ALLOWED_TARGET");
 *     for (each row) nearest_try(&nearest, row->name);
 *     if (nearest.word) ... "did you mean %s?"
 */
#ifndef PAMTUNNEL_BASE_NEAREST_H
#define PAMTUNNEL_BASE_NEAREST_H

struct nearest {
    const char *typed;
    const char *word;  /* the nearest so far, or NULL if none is near enough */
    unsigned distance; /* of it */
};

/* `typed` must outlive it. */
struct nearest nearest_to(const char *typed);
/*
 * The distance is the least number of letters to add, leave out, change, or swap with the
 * next one (optimal string alignment); case does not count. A word of up to four letters
 * may have one such mistake, one of up to eight two, a longer one three; but never as many
 * as it has letters. The first of several that are as near stays. The word is kept as a pointer.
 */
void nearest_try(struct nearest *nearest, const char *word);

#endif
