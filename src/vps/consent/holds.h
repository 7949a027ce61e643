/*
 * holds: opens sessions for whoever asks for them, in the chat or with pamctl, and keeps those
 * requests that need the consent of others, or a second factor, on hold until it is there. Then it
 * is decided afresh: hours may be over, and the policy may be another one.
 *
 * A request that has come to its end is gone as soon as its watchers were told; its name is
 * remembered for a while (holds_fate()).
 */
#ifndef PAMTUNNEL_VPS_CONSENT_HOLDS_H
#define PAMTUNNEL_VPS_CONSENT_HOLDS_H

#include <uv.h>

#include "base/log.h"
#include "base/why.h"
#include "vps/audit/audit.h"
#include "vps/consent/hold.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"

struct holds;

enum { HOLDS_MAX = 64, HOLDS_PER_PERSON = 4, HOLD_WATCHERS_MAX = 4 };

/* ---- what happens ----------------------------------------------------------- */

enum hold_event_kind {
    HOLD_ASKED,   /* a new one; from inside holds_open() */
    HOLD_GIVEN,   /* a consent came: the approval of `by`, or the second factor of who asks */
    HOLD_CHANGED, /* its state: `from` and `to` */
    HOLD_RENEWED, /* there are other settings: others may be asked, and for something else */
};

/* Pointers are NULL where the event has no such thing, and valid while it is told. */
struct hold_event {
    enum hold_event_kind kind;
    struct hold *hold; /* of its end, this is the last that is heard */
    const struct hold_view *view;
    enum hold_state from, to;
    const struct owner *by;
    struct session *session; /* of HOLD_GRANTED: it is opening */
};

/* Called from the loop, or from inside the verbs below, none of which it may call. */
struct hold_watcher {
    void (*event)(void *arg, const struct hold_event *event);
    void *arg;
};

/* ---- life ------------------------------------------------------------------- */

/* All of it outlives the holds. */
struct holds_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct vps_settings *settings;
    const struct people *people;
    struct sessions *sessions;
    struct audit *audit; /* or NULL */
};

/* 0 or -errno. */
int holds_new(const struct holds_options *options, struct holds **ret_holds);
/* Accepts NULL. */
void holds_free(struct holds *holds);
/* -ENOSPC if there are too many. */
int holds_watch(struct holds *holds, struct hold_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void holds_unwatch(struct holds *holds, const void *arg);
/* The settings are others now: who lost a right loses the request. */
void holds_settings_changed(struct holds *holds);
/* Withdraws all of them, since the server stops. */
void holds_end_all(struct holds *holds);

/* ---- the second factor ------------------------------------------------------ */

/* Whoever takes second factors. Without one, rules that ask for it refuse. */
struct holds_factor {
    /*
     * 0: this person gave it a moment ago, and need not again; -EINPROGRESS: they can be asked;
     * another -errno, with a sentence in why: they cannot (none is enrolled, it is locked).
     */
    int (*check)(void *arg, const struct owner *owner, struct why *why);
    void *arg;
};
void holds_use_factor(struct holds *holds, struct holds_factor factor);
/*
 * This account gave it: what it waited for with that goes on; with FACTOR_MINUTES=0, where each
 * session needs a code of its own, only what it asked for last. Returns how many did.
 */
unsigned holds_take_factor(struct holds *holds, const struct owner *owner);

/* ---- asking ----------------------------------------------------------------- */

/*
 * Opens a session, or puts the request on hold: -EINPROGRESS with *ret_hold. Anything else is as of
 * sessions_open(), and besides -ENOKEY: a consent is needed that nobody can give; -EBUSY: too many
 * are on hold, or this person asks too often. What was on hold for the same machine is withdrawn.
 */
int holds_open(struct holds *holds, const struct session_request *request,
               struct session **ret_session, struct hold **ret_hold, struct why *why);

/* ---- deciding: the request may be gone when one of these returns -------------- */

/*
 * One person agrees. 0, or -EPERM: it is their own; -EACCES: they are no approver; -ENOENT: nobody
 * in the policy has that uid; -EALREADY: they did so before, or it needs no more; -EAGAIN: the
 * second factor has to be there first.
 */
int holds_approve(struct holds *holds, struct hold *hold, const struct owner *by);
/* One says no, which is enough. The same, but for the last two; a uid without a name may, too. */
int holds_deny(struct holds *holds, struct hold *hold, const struct owner *by);
/* Who asked does not want it any more. */
void holds_withdraw(struct holds *holds, struct hold *hold, const struct owner *by);

/* ---- looking ---------------------------------------------------------------- */

/* By its id, or NULL. */
struct hold *holds_find(struct holds *holds, const char *id);
/* One after the other, the oldest first: NULL to start, NULL at the end. */
struct hold *holds_next(struct holds *holds, struct hold *after);
/* What became of one that is gone. False: nobody remembers. */
bool holds_fate(const struct holds *holds, const char *id, enum hold_state *ret_state);

#endif
