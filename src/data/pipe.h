/*
 * pipe: kernel pipes, through which splice(2) takes bytes from one socket to
 * another without a copy, and the pool from which a worker lends them.
 *
 * A pipe is lent for one turn of a flow and stays with it only while it holds
 * bytes, so that a few serve any number of links. A pipe that still holds bytes
 * never goes back: nobody's bytes come out in another's stream. The pool never
 * waits: whoever gets none copies.
 */
#ifndef PAMTUNNEL_DATA_PIPE_H
#define PAMTUNNEL_DATA_PIPE_H

#include <stddef.h>

struct pipe {
    int in, out; /* bytes go into `in` and come out of `out` */
    size_t held;
    struct pipe_pool *pool;
    struct pipe *next; /* in the pool */
};

struct pipe_limits {
    size_t size;   /* bytes of each pipe; what the kernel does not grant is halved */
    unsigned most; /* pipes of one pool, lent ones included */
};

/* Belongs to one thread. */
struct pipe_pool {
    struct pipe_limits limits;
    unsigned made;
    unsigned refusals; /* requests to turn down before the kernel is asked again */
    struct pipe *idle;
};

/*
 * What each of so many pools may have, so that together they stay well within
 * what the kernel grants one user (/proc/sys/fs/pipe-*, pipe(7)): beyond that it
 * makes all new pipes of that user tiny, those of other programs too.
 */
struct pipe_limits pipe_limits_for(unsigned pools);

/* Makes no pipe yet. */
void pipe_pool_init(struct pipe_pool *pool, const struct pipe_limits *limits);
/* All pipes have been put back. Accepts a pool that was zeroed. */
void pipe_pool_done(struct pipe_pool *pool);

/* Lends an empty pipe; NULL if there is none to be had. */
struct pipe *pipe_get(struct pipe_pool *pool);
/* Takes it back into its pool; one that still holds bytes is killed instead. Accepts NULL. */
void pipe_put(struct pipe *pipe);
/* Closes and frees it, and what it holds is lost. */
void pipe_kill(struct pipe *pipe);

#endif
