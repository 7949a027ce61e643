/*
 * applicants: gateways that have no key and ask to be paired (docs/protocol.md, "Pairing"): whether
 * they are heard at all, and the one that people are asked about.
 *
 *     shut ──applicants_open()──► open for ten minutes ──over, or a gateway is paired──► shut
 *
 *     met ──its share is open──► asked ──accepted──► let in ──confirmed──► keeping ──► paired
 *      └─────────────┴───denied, expired, left, or somebody in between───┘
 *
 * One at a time: whoever else comes is told so. What they may cost is bounded, by network and for
 * each opening; nothing of it is silent.
 */
#ifndef PAMTUNNEL_VPS_GATEWAYS_APPLICANTS_H
#define PAMTUNNEL_VPS_GATEWAYS_APPLICANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/log.h"
#include "base/net.h"
#include "base/why.h"
#include "control/accord.h"
#include "control/channel.h"
#include "vps/audit/audit.h"
#include "vps/grant/owner.h"

struct applicants;

enum {
    APPLICANTS_OPEN_MS = 10 * 60 * 1000,
    APPLICANTS_QUESTION_MS = 10 * 60 * 1000, /* for a person to answer */
    APPLICANTS_TRIES = 16,                   /* in one opening, for the middle */
    APPLICANTS_PER_NETWORK = 4,              /* at once, and one more every two minutes */
    APPLICANTS_WATCHERS_MAX = 4,
    APPLICANT_ID_MAX = 99999999, /* of eight digits */
};

/* ---- what happens ---------------------------------------------------------------- */

struct applicant_view {
    unsigned id;      /* of the question, 1 to APPLICANT_ID_MAX; no other has it */
    const char *name; /* what it wants to be called */
    const char *code; /* "482 913" */
    const char *program;
    struct addr from;
    unsigned seconds_left; /* to answer */
    bool let_in;           /* somebody has said yes; it has yet to keep its key */
    bool replaces;         /* one of that name was paired before: its key will be another one */
    const char *resembles; /* another gateway's name, much like this one; or NULL */
};

enum applicant_event_kind {
    APPLICANT_ASKS,
    APPLICANT_LET_IN, /* by `by`; it may still come to nothing */
    APPLICANT_PAIRED, /* these are ends */
    APPLICANT_DENIED, /* by `by` */
    APPLICANT_EXPIRED,
    APPLICANT_LEFT,   /* it hung up, or its line broke */
    APPLICANT_FAILED, /* it was not who had asked, or its key could not be kept: `why` */
    APPLICANT_CROWD,  /* so many have asked that no other is heard: of no view and no one */
};

/* Pointers are valid while it is told. */
struct applicant_event {
    enum applicant_event_kind kind;
    const struct applicant_view *view; /* NULL of APPLICANT_CROWD */
    const struct owner *by;            /* NULL where it is nobody's word */
    const char *why;                   /* of APPLICANT_FAILED, a clause */
};

/* Called from the loop, or from inside the verbs below. It may call none of those. */
struct applicant_watcher {
    void (*event)(void *arg, const struct applicant_event *event);
    void *arg;
};

/* ---- life ------------------------------------------------------------------------ */

/* What the owner of the control port does for it. */
struct applicants_options {
    uv_loop_t *loop;
    const struct log *log;
    struct audit *audit; /* NULL: nothing is recorded */
    /*
     * Whether one may be called so: 0, with *ret_replaces and the name of another one that is
     * much like it, or NULL; or -errno with a sentence for the gateway in why.
     */
    int (*check_name)(void *arg, const char *name, bool *ret_replaces, const char **ret_resembles,
                      struct why *why);
    /*
     * Keeps the key, in front of what is recorded next: 0, or -errno with why. drop() takes that
     * one back, since it did not come to the disk.
     */
    int (*keep)(void *arg, const char *name, const uint8_t key[CRYPTO_KEY_SIZE], struct why *why);
    void (*drop)(void *arg, const char *name, const uint8_t key[CRYPTO_KEY_SIZE]);
    /* Nothing more is to be said over this channel, which the owner frees. */
    void (*hang_up)(void *arg, struct channel *channel);
    /* Somebody was not heard; text is for the log. */
    void (*turned_away)(void *arg, const struct addr *from, const char *text);
    void *arg;
};

/* Shut. NULL: out of memory. */
struct applicants *applicants_new(const struct applicants_options *options);
/* Accepts NULL. Nobody is told; channels stay the owner's. */
void applicants_free(struct applicants *applicants);
/* -ENOSPC if there are too many. */
int applicants_watch(struct applicants *applicants, struct applicant_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void applicants_unwatch(struct applicants *applicants, const void *arg);

/* ---- the control port's side ------------------------------------------------------ */

/* A gateway without a key is there. It may be hung up on from inside. */
void applicants_meet(struct applicants *applicants, struct channel *channel,
                     const struct addr *from);
/* It has said something; the same. */
void applicants_take(struct applicants *applicants, struct channel *channel,
                     const struct message *message);
/* Its connection is over, and the channel about to be freed. */
void applicants_lost(struct applicants *applicants, const struct channel *channel);
/* One only looks whether it would be heard: 0, or -errno with a sentence for it in why. */
int applicants_would_hear(const struct applicants *applicants, const struct addr *from,
                          struct why *why);

/* ---- people's side ---------------------------------------------------------------- */

/* Hears gateways for ten minutes from now on, also those that were refused. */
void applicants_open(struct applicants *applicants);
/* For how many seconds still; 0: it is shut. */
unsigned applicants_open_for(const struct applicants *applicants);
/* The one that is asked about. False: there is none. */
bool applicants_view(const struct applicants *applicants, struct applicant_view *ret_view);
/* That one shows this code, with or without the blank in it. */
bool applicants_shows(const struct applicants *applicants, const char *code);
/*
 * A person says yes or no about the question of that id. -ENOENT: it is over, or another one by
 * now; -EALREADY: somebody has said yes.
 */
int applicants_accept(struct applicants *applicants, unsigned id, const struct owner *by);
int applicants_deny(struct applicants *applicants, unsigned id, const struct owner *by);

#endif
