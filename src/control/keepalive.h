/*
 * keepalive: whether the peer of a control channel is alive (docs/protocol.md, "PING"): a
 * PING at a steady interval, and when somebody waits one that need not wait for it. What
 * goes out and comes in is the owner's; it is told when there is something to send.
 */
#ifndef PAMTUNNEL_CONTROL_KEEPALIVE_H
#define PAMTUNNEL_CONTROL_KEEPALIVE_H

#include <stdint.h>
#include <uv.h>

enum { KEEPALIVE_PRESSED_MS = 5000 /* for the answer when somebody waits */ };

struct keepalive;

/* Called from the loop; `ping` also from inside keepalive_press(). */
struct keepalive_events {
    /* Send a PING with this number. Not to free the keepalive from. */
    void (*ping)(void *arg, uint64_t sent_us);
    /* Nothing came in time; why is a clause for the log. The owner may free it now. */
    void (*dead)(void *arg, const char *why);
    void *arg;
};

/* NULL when out of memory. At rest until keepalive_begin(). */
struct keepalive *keepalive_new(uv_loop_t *loop, struct keepalive_events events);
/* Accepts NULL. No callback runs any more. */
void keepalive_free(struct keepalive *keepalive);

/* The channel is open: a PING every interval_ms, and two unanswered ones are the end. */
void keepalive_begin(struct keepalive *keepalive, uint64_t interval_ms);
/* Something came, of whatever kind. */
void keepalive_heard(struct keepalive *keepalive);
/* A PONG came, with the number of its PING. */
void keepalive_answered(struct keepalive *keepalive, uint64_t sent_us);
/*
 * Somebody waits: the peer has KEEPALIVE_PRESSED_MS to say anything at all. If it was heard
 * within the last second, the PING and that time begin a second later.
 */
void keepalive_press(struct keepalive *keepalive);
/* The last measured round trip in microseconds, 0 before the first PONG. */
uint64_t keepalive_rtt_us(const struct keepalive *keepalive);

#endif
