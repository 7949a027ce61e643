/*
 * sluice: keeps no more in front of the slower side of a flow than that side takes in a moment.
 * sluice.c says how and why. Belongs to the flow's thread.
 */
#ifndef PAMTUNNEL_DATA_SLUICE_H
#define PAMTUNNEL_DATA_SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sluice;

/* The two sockets of a flow, and what it has delivered so far. */
struct sluice_view {
    int from, to;
    uint64_t bytes;
};

/* A flow needs one when a turn moved so much, or when the writing side was full. */
enum { SLUICE_FROM_BYTES = 8 * 1024 };

/* NULL when out of memory: the flow goes on without. */
struct sluice *sluice_new(const struct sluice_view *view);
/* The sockets stay as they are. Accepts NULL. */
void sluice_free(struct sluice *sluice);

/* To be called before each turn of the flow, and after it. */
void sluice_before(struct sluice *sluice, const struct sluice_view *view);
/* full: the writing side took less than it was given. */
void sluice_after(struct sluice *sluice, const struct sluice_view *view, bool full);

/* How much the flow is to move at once, at most. Accepts NULL. */
size_t sluice_step(const struct sluice *sluice, size_t most);
/* For send(2). Accepts NULL. */
int sluice_send_flags(const struct sluice *sluice);

#endif
