/*
 * What the parts of applicants share:
 *
 *     applicants           what they and people say; their life
 *     applicants_opening   when they are heard
 *     applicants_end       who is told of it, and how one comes to its end
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_APPLICANTS_CORE_H
#define PAMTUNNEL_VPS_GATEWAYS_APPLICANTS_CORE_H

#include "base/allowance.h"
#include "base/timer.h"
#include "vps/gateways/applicants.h"

/* How far the one has come that is there. */
enum applicant_phase {
    APPLICANT_NOBODY,
    APPLICANT_MET,      /* its share is to come */
    APPLICANT_ASKED,    /* a person's answer */
    APPLICANT_ACCEPTED, /* its confirmation */
    APPLICANT_KEEPING,  /* our disk */
};

struct applicants {
    struct applicants_options options;
    struct applicant_watcher watchers[APPLICANTS_WATCHERS_MAX];
    unsigned watcher_count;

    uint64_t open_until_ms; /* 0: shut */
    struct timer *shutting;
    unsigned answers;         /* since it was opened: each is a try for the middle */
    struct allowance tries;   /* by network */
    struct allowance refused; /* since it was opened */

    enum applicant_phase phase;
    struct timer *deadline;
    struct channel *channel;
    struct addr from;
    struct accord accord;
    char name[GATEWAY_NAME_MAX + 1]; /* once it was answered: it outlives the accord */
    unsigned id;
    char code[ACCORD_CODE_MAX];
    char program[64];
    char resembles[GATEWAY_NAME_MAX + 1];
    bool replaces;
    uint64_t answer_by_ms;
    struct owner by;
};

/* ---- applicants_opening ------------------------------------------------------ */

/* The beginning of their life: shut. -ENOMEM. */
int applicants_begin(struct applicants *applicants);
/* None is heard any more; because is a clause for the log. */
void applicants_shut(struct applicants *applicants, const char *because);
/* The one that is there was answered, which is a try: perhaps the last one. */
void applicants_count_answer(struct applicants *applicants);

/* ---- applicants_end ---------------------------------------------------------- */

/* As of now; its texts are the applicants'. */
void applicants_look(const struct applicants *applicants, struct applicant_view *ret_view);
/* -errno: done, which may be NULL, is not called. */
int applicants_record(struct applicants *applicants, enum audit_event what, const char *word,
                      const struct applicant_event *event, audit_done_fn done);
/* All watchers, and the audit. */
void applicants_tell(struct applicants *applicants, const struct applicant_event *event);
/* It is told why, and the channel is its owner's to free: do not touch it. */
void applicants_hang_up(struct applicants *applicants, struct channel *channel,
                        enum goodbye_reason reason, const char *text);
/*
 * The end of the one that is there: it is forgotten and hung up on, and then all are told who were
 * asked about it. farewell is for the gateway, why a clause for people, or NULL.
 */
void applicants_over(struct applicants *applicants, enum applicant_event_kind kind, const char *why,
                     const char *farewell);
/* The same of one that does not keep to the rules: the log hears of it, too. */
void applicants_turn_away(struct applicants *applicants, const char *text, const char *farewell);
/* A line for the log, about somebody who was told why. name may be NULL. */
void applicants_say_away(const struct applicants *applicants, const struct addr *from,
                         const char *name, const char *why);

#endif
