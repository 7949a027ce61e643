/*
 * pump: sends or takes in bytes on many connections from one thread, as fast as they go. Both ends
 * of every bulk transfer are one pump each, so that all contenders have the same ends.
 */
#ifndef PAMTUNNEL_BENCH_PUMP_H
#define PAMTUNNEL_BENCH_PUMP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum pump_kind {
    PUMP_SINK,   /* takes in */
    PUMP_SOURCE, /* sends */
};

struct pump;

/* received: where the bytes that come in are counted, also for another process to see. */
struct pump *pump_new(_Atomic uint64_t *received);
/* zero_copy: sendfile() and MSG_TRUNC, so that the ends cost next to nothing. The pump closes the
 * socket when its peer does. Callable from any thread. */
void pump_add(struct pump *pump, int fd, enum pump_kind kind, bool zero_copy);
/* One wait of at most timeout_ms (-1: any) and what is ready then. */
void pump_turn(struct pump *pump, int timeout_ms);

/* The counter in the file that a target and its clients share; made if it is not there. */
_Atomic uint64_t *counter_at(const char *path);

#endif
