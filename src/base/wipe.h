/* wipe: memory that may have held a secret is given back without it. */
#ifndef PAMTUNNEL_BASE_WIPE_H
#define PAMTUNNEL_BASE_WIPE_H

/*
 * free(3) of what malloc(3) has given, once all of it is overwritten: for a library that keeps what
 * goes through it in memory of its own. Accepts NULL.
 */
void wipe_free(void *memory);

#endif
