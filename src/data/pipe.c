#include "data/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /*
     * The kernel counts a pipe in pages, and a slot of a page holds a fragment of a
     * packet, however small: 1 MiB takes 250 segments at once if they came one by one.
     */
    SIZE_MOST = 1024 * 1024,
    SIZE_LEAST = 64 * 1024, /* below that, copying is cheaper */
    POOL_MOST = 16,
    POOL_ENOUGH = 8,  /* so many pipes rather than fewer, larger ones */
    USERS_SHARE = 4,  /* a relay takes at most this fraction of what its user may have */
    REFUSALS = 10000, /* after a failure: descriptors or pages may be short for a while */
};

/* 0 if it cannot be read. */
static size_t read_number(const char *path)
{
    size_t number = 0;
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%zu", &number) != 1) {
            number = 0;
        }
        fclose(file);
    }
    return number;
}

struct pipe_limits pipe_limits_for(unsigned pools)
{
    size_t largest = read_number("/proc/sys/fs/pipe-max-size");
    size_t pages = read_number("/proc/sys/fs/pipe-user-pages-soft");
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = SIZE_MOST;
    while (size > SIZE_LEAST && largest != 0 && size > largest) {
        size /= 2;
    }
    if (pages == 0) { /* no limit, and no /proc: nothing is known that speaks against it */
        return (struct pipe_limits){.size = size, .most = POOL_MOST};
    }
    size_t share = pages / USERS_SHARE / pools * page;
    while (size > SIZE_LEAST && share / size < POOL_ENOUGH) {
        size /= 2;
    }
    size_t most = share / size < POOL_MOST ? share / size : POOL_MOST;
    return (struct pipe_limits){.size = size, .most = (unsigned)most};
}

void pipe_pool_init(struct pipe_pool *pool, const struct pipe_limits *limits)
{
    *pool = (struct pipe_pool){.limits = *limits};
}

void pipe_pool_done(struct pipe_pool *pool)
{
    while (pool->idle) {
        struct pipe *pipe = pool->idle;
        pool->idle = pipe->next;
        pipe_kill(pipe);
    }
}

/*
 * Gives a pipe the pool's size, or less if the kernel has it so (EPERM: the user
 * has too many pages already). 0 or -errno.
 */
static int pipe_resize(int fd, size_t *size)
{
    size_t least = *size < SIZE_LEAST ? *size : SIZE_LEAST;
    while (fcntl(fd, F_SETPIPE_SZ, (int)*size) < 0) {
        if (*size / 2 < least) {
            return -errno;
        }
        *size /= 2;
    }
    /* What was granted need not be what was asked for. */
    int real = fcntl(fd, F_GETPIPE_SZ);
    return real >= 0 && (size_t)real >= least ? 0 : -EPERM;
}

static struct pipe *pipe_new(struct pipe_pool *pool)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return NULL;
    }
    struct pipe *pipe = malloc(sizeof *pipe);
    if (!pipe || pipe_resize(ends[1], &pool->limits.size) < 0) {
        free(pipe);
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    *pipe = (struct pipe){.in = ends[1], .out = ends[0], .pool = pool};
    pool->made++;
    return pipe;
}

struct pipe *pipe_get(struct pipe_pool *pool)
{
    struct pipe *pipe = pool->idle;
    if (pipe) {
        pool->idle = pipe->next;
        return pipe;
    }
    if (pool->made == pool->limits.most) {
        return NULL;
    }
    if (pool->refusals > 0) {
        pool->refusals--;
        return NULL;
    }
    pipe = pipe_new(pool);
    pool->refusals = pipe ? 0 : REFUSALS;
    return pipe;
}

void pipe_put(struct pipe *pipe)
{
    if (!pipe) {
        return;
    }
    if (pipe->held > 0) {
        pipe_kill(pipe);
        return;
    }
    /* The last one back is the first one out: its slots are in the cache. */
    pipe->next = pipe->pool->idle;
    pipe->pool->idle = pipe;
}

void pipe_kill(struct pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    pipe->pool->made--;
    free(pipe);
}
