/*
 * stage: what tests of the control plane stand on: an event loop that has to be
 * empty at the end, TCP clients from whatever address of 127/8, and a clock that
 * can be made to run faster.
 */
#ifndef PAMTUNNEL_TESTS_STAGE_H
#define PAMTUNNEL_TESTS_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct stage {
    uv_loop_t loop;
    unsigned descriptors; /* open when the stage was built */
};

void stage_open(struct stage *stage);
/* Every handle must be on its way out, and every descriptor given back. */
void stage_close(struct stage *stage);

/* One turn of the loop; waits a moment if there is nothing to do. */
void stage_turn(struct stage *stage);
/* True if the loop has nothing to do for that long: nobody spins. */
bool stage_is_quiet(struct stage *stage, int ms);
/* Milliseconds of the real clock. */
uint64_t stage_ms(void);

enum { STAGE_PATIENCE_MS = 10000 };
#define WAIT_FOR(stage, condition)                                        \
    for (uint64_t end_ = stage_ms() + STAGE_PATIENCE_MS; !(condition);) { \
        if (stage_ms() > end_) {                                          \
            fail_msg("waited in vain for %s", #condition);                \
        }                                                                 \
        stage_turn(stage);                                                \
    }

/*
 * For tests whose meson.build row wraps clock_ms and timer_set: from now on an
 * hour takes an hour divided by factor; 0: the clock stands still, and timers take what they take.
 * Back to 1 with each stage_open().
 */
void stage_hurry(unsigned factor);

/* A listening socket on 127.0.0.1, and its port. */
int stage_listen(uint16_t *ret_port);

/* A connection to 127.0.0.1, non-blocking; from may be any address of 127/8. */
int client_connect(const char *from, uint16_t port);
void client_say(int fd, const void *data, size_t len);
/* What is there, without waiting: 0 also if nothing is. */
size_t client_hear(int fd, void *buffer, size_t size);
/* True once the other side has closed or reset it; reads nothing. */
bool client_was_sent_off(int fd);
/* True if nobody listens there (any more). */
bool port_is_closed(uint16_t port);

#endif
