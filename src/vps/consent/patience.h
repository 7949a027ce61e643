/*
 * patience: how often one person may ask others for their consent. Whoever is asked again and again
 * agrees in the end, to have peace: that is what a stolen account would try.
 */
#ifndef PAMTUNNEL_VPS_CONSENT_PATIENCE_H
#define PAMTUNNEL_VPS_CONSENT_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "vps/grant/owner.h"

enum { PATIENCE_PEOPLE = 64, PATIENCE_MOST = 6, PATIENCE_EACH_MS = 120 * 1000 };

/* Zero-initialised is ready for use. */
struct patience {
    struct {
        struct owner person;
        struct bucket bucket;
    } asked[PATIENCE_PEOPLE];
};

/* Counts once more. False if that was too often. now_ms: of clock_ms(). */
bool patience_take(struct patience *patience, const struct owner *person, uint64_t now_ms);

#endif
