/* session_tally: what has happened to sessions since the start, counted from their news. */
#ifndef PAMTUNNEL_VPS_FIGURES_SESSION_TALLY_H
#define PAMTUNNEL_VPS_FIGURES_SESSION_TALLY_H

#include "base/metrics.h"
#include "vps/session/news.h"
#include "vps/session/strangers.h"

enum { SESSION_TALLY_REFUSALS = 16 };

/* Zero-initialised is ready for use. */
struct session_tally {
    uint64_t opened[KIND_COUNT];
    uint64_t refused[SESSION_TALLY_REFUSALS]; /* by the number of session_refusal_word_at() */
    uint64_t ended[SESSION_END_COUNT];
    uint64_t asked, by_person, by_itself, blocked; /* about clients */
    uint64_t gateways_came, gateways_went;
    /* Of sessions that are over. */
    uint64_t bytes_to_target, bytes_to_client;
    uint64_t strangers[STRANGER_REASONS];
};

void session_tally_event(struct session_tally *tally, const struct session_event *event);
/* Adds its families, but for those to which running sessions belong. */
void session_tally_measure(const struct session_tally *tally, struct metrics *metrics);

#endif
