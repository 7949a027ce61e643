/* tuning: when a worker splices, and what for. */
#ifndef PAMTUNNEL_DATA_TUNING_H
#define PAMTUNNEL_DATA_TUNING_H

#include <stddef.h>

/* relay_new() knows what is right for the machine; tests and benchmarks try others. */
struct relay_tuning {
    size_t bulk_step; /* bytes that, moved at once, speak for splicing; SIZE_MAX: never */
    size_t pipe_size; /* bytes of a pipe, at most */
    unsigned pipes;   /* how many a worker may have; when all are in use, it copies */
};

#endif
