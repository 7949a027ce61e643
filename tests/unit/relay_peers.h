/*
 * relay_peers: what the tests of the relay share. Each link has two peers, the
 * test's ends of TCP connections over loopback; everything is waited for with
 * poll(). Data are taken from one block of noise at a running offset, so that a
 * lost, doubled or exchanged byte shows at once. The seed is printed;
 * PAMTUNNEL_TEST_SEED repeats a run.
 *
 * To be linked with --wrap for malloc, calloc, free, clock_ms and timerfd_settime:
 * the tests count what is allocated, move the clock and make workers look at it often.
 */
#ifndef PAMTUNNEL_TESTS_RELAY_PEERS_H
#define PAMTUNNEL_TESTS_RELAY_PEERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/relay.h"

enum {
    PATIENCE_MS = 20 * 1000, /* for what must happen; never spent when all is well */
    QUIET_MS = 60,           /* for what must not happen */
    NOISE_SIZE = 1000003,    /* prime, so that chunks never fall into step with it */
    CHUNK_MAX = 200 * 1000,
    MIB = 1024 * 1024,
    /* Much smaller ones close their windows so often that TCP itself waits for whole seconds. */
    SMALL_BUFFER = 32 * 1024,
};

long blocks_in_use(void);
/* Moves the clock that the relay sees. */
void skip_time(uint64_t ms);
/* Until both workers of a fixture have looked at all their links at least twice. */
void wait_for_sweeps(void);

extern uint8_t noise[NOISE_SIZE];
size_t random_below(size_t bound);
bool chance(unsigned percent);

/* The test's end of a connection whose other end the relay has. */
struct peer {
    int fd;
    size_t out_at, in_at; /* where in the noise the streams begin */
    size_t to_send, sent, got;
    bool fin; /* after to_send bytes */
    bool fin_sent;
    bool deaf; /* does not read */
    bool eof;
    int error;
};

/* Two connected sockets; buffer: of all four, 0 for the kernel's choice. */
void connection(int buffer, int *ret_outer, int *ret_inner);
/* One system call each, of a random size; errors go into the peer. */
void peer_send(struct peer *peer);
void peer_recv(struct peer *peer);
/* Until the peer has received len bytes in all. */
void peer_read_up_to(struct peer *peer, size_t len);
/* Not so under qemu's emulation of Linux, which passes on the first word of TCP_INFO only. */
bool kernel_tells_of_tcp(int fd);
void peer_close(struct peer *peer);
void peer_reset(struct peer *peer);
/*
 * Lets peers send and receive what they can, each in a random part of the
 * rounds, until none wants anything or nothing happens for quiet_ms. True if
 * none wants anything.
 */
bool pump(struct peer *peers, size_t count, int quiet_ms);
/* Pumps until none wants anything, or fails. */
void settle(struct peer *peers, size_t count);

/*
 * How the relays of the tests carry bytes: as on any machine, which means that
 * small chunks are copied and large ones spliced; always copied; spliced from the
 * second chunk on; the same with one tiny pipe, so that flows take turns with it
 * and copy meanwhile.
 */
enum mode { USUAL, COPIED, SPLICED, SCARCE, MODE_COUNT };

extern enum mode mode;
int new_relay(unsigned workers, struct relay **ret_relay);

/* A relay with two workers for each test. */
struct fixture {
    struct relay *relay;
    int descriptors;
    long allocations;
};

/* Of the whole group, and of each test. */
int start_randomness(void **state);
int set_up(void **state);
/* Whatever a test did: descriptors and memory are back where they were. */
int tear_down(void **state);
#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* All of an array of tests, in each mode; returns from main() when some failed. */
#define RUN_IN_EVERY_MODE(tests)                                            \
    for (mode = 0; mode < MODE_COUNT; mode++) {                             \
        int failed = cmocka_run_group_tests(tests, start_randomness, NULL); \
        if (failed != 0) {                                                  \
            return failed;                                                  \
        }                                                                   \
    }

/* Joins two new connections; peers[0] is a's. */
struct link *join(struct relay *relay, struct peer peers[2], int buffer, size_t prefix_len);
void close_both(struct peer peers[2]);
/* A round trip through both flows: the link is alive, and the worker has done all before. */
void ping(struct peer peers[2]);
struct link *wait_for_end(struct relay *relay);
/* The last running link ended, and it was this one. Frees it. */
void expect_end(struct relay *relay, struct link *expected, enum link_end end);
/* From now on the peer's kernel hears nothing: nobody acknowledges or refuses anything.
 * Some kernels let only root do that. */
bool may_go_dead(void);
void go_dead(int fd);
/* The peer was reset. */
void expect_reset(struct peer *peer);

/* What has happened to a link before one of its peers resets. */
enum before { QUIET, MOVED, STALLED, OWN_FIN, OTHERS_FIN, BEFORE_COUNT };

void bring_about(enum before before, struct peer *victim, struct peer *killer);

#endif
