/*
 * poll_length: how long a long poll may wait. Shorter than a command lives, so that one that
 * was sent into a poll that died is still run; and shorter than whatever on the way cuts polls.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_POLL_LENGTH_H
#define PAMTUNNEL_VPS_TELEGRAM_POLL_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

enum { POLL_LENGTH_S = 25 };

/* Zero-initialised is ready for use. */
struct poll_length {
    unsigned shorter_s; /* 0: the full length will do */
    uint64_t until_ms;  /* until it is tried again */
    unsigned cuts;      /* in a row, at about the same time */
    uint64_t cut_ms;
};

unsigned poll_length_s(const struct poll_length *length);
/* A long poll ended as it should. */
void poll_length_fine(struct poll_length *length);
/* It broke off after so long. True if polls are shorter from now on. */
bool poll_length_cut(struct poll_length *length, uint64_t after_ms);

#endif
