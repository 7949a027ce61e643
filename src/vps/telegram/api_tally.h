/*
 * api_tally: the answers of the Bot API so far, by method and code. Codes are the server's to make
 * up: of too many the rest is counted in one.
 */
#ifndef PAMTUNNEL_VPS_TELEGRAM_API_TALLY_H
#define PAMTUNNEL_VPS_TELEGRAM_API_TALLY_H

#include "base/metrics.h"

enum { API_TALLY_MAX = 64 };

/* Zero-initialised is ready for use. */
struct api_tally {
    struct api_tally_row {
        const char *method;
        int code;
        uint64_t count;
    } rows[API_TALLY_MAX];
    unsigned row_count;
    uint64_t others;
};

/* method: a constant. code: 200 and so on; 0: there was no answer. */
void api_tally_add(struct api_tally *tally, const char *method, int code);
void api_tally_measure(const struct api_tally *tally, struct metrics *metrics);

#endif
