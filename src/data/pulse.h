/*
 * pulse: whether the peer of a TCP socket that owes us an answer still lives.
 *
 * Keepalive asks idle peers only, TCP_USER_TIMEOUT also ends connections to peers
 * that answer but do not read, and the kernel's own patience is some 15 minutes.
 * So this asks the kernel itself, now and then: a peer is gone that has bytes to
 * acknowledge and lets NET_DEAD_AFTER_S pass without a single segment, although
 * it was asked as often as keepalive would (by retransmissions or by probes of a
 * closed window). The number matters since these are up to two minutes apart.
 */
#ifndef PAMTUNNEL_DATA_PULSE_H
#define PAMTUNNEL_DATA_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed at first. */
struct pulse {
    uint64_t settled;  /* so many of our bytes were seen to be acknowledged */
    uint64_t since_ms; /* nothing was heard since then; 0: nothing to be heard */
    uint32_t heard;    /* segments that had come until then */
    uint32_t asked;    /* retransmissions until then */
};

/*
 * Takes the pulse, at the time now_ms. sent: bytes written to the socket so far;
 * as long as they are settled this costs nothing. True if the peer is gone.
 */
bool pulse_is_gone(struct pulse *pulse, int fd, uint64_t sent, uint64_t now_ms);

#endif
