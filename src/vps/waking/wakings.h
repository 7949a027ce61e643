/*
 * wakings: wakes machines for whoever may reach them. Which machine has which MAC address is learnt
 * from sessions (macs.h), or stands in the policy. A session whose machine does not answer becomes
 * an offer to wake it, or the policy has it woken at once; when it is awake, the session is asked
 * for anew, and all that is to be decided about it is decided then.
 *
 * Whoever wants the same machine shares what is on its way. One that has come to its end is gone as
 * soon as its watchers were told.
 */
#ifndef PAMTUNNEL_VPS_WAKING_WAKINGS_H
#define PAMTUNNEL_VPS_WAKING_WAKINGS_H

#include <uv.h>

#include "base/log.h"
#include "base/why.h"
#include "vps/audit/audit.h"
#include "vps/consent/holds.h"
#include "vps/people/people.h"
#include "vps/session/sessions.h"
#include "vps/settings/settings.h"
#include "vps/waking/macs.h"
#include "vps/waking/waking.h"

struct wakings;

enum {
    WAKINGS_MAX = 64, /* the oldest offer makes room */
    WAKING_WATCHERS_MAX = 4,
    WAKING_PATIENCE_S = 120,
    WAKING_OFFER_S =
        600, /* longer than that, and what others consented to may not be so any more */
};

/* ---- what happens ----------------------------------------------------------- */

/* Pointers are NULL where the event has no such thing, and valid while it is told. */
struct waking_event {
    struct waking *waking; /* of its end, this is the last that is heard */
    const struct waking_view *view;
    bool is_new;             /* it was not there before */
    enum waking_state from;  /* else */
    struct session *failed;  /* of a new one: this has just ended for it */
    struct session *session; /* of WAKING_AWAKE: it is opening */
    struct hold *hold;       /* or it waits for a consent */
};

/* Called from the loop, or from inside the verbs below, none of which it may call. */
struct waking_watcher {
    void (*event)(void *arg, const struct waking_event *event);
    void *arg;
};

/* ---- life ------------------------------------------------------------------- */

/* All of it outlives the wakings. */
struct wakings_options {
    uv_loop_t *loop;
    const struct log *log;
    const struct people *people;
    struct store *store; /* may be NULL; not started yet */
    struct sessions *sessions;
    struct holds *holds;
    struct audit *audit; /* or NULL */
};

/* 0 or -errno. */
int wakings_new(const struct wakings_options *options, struct wakings **ret_wakings);
/* Accepts NULL. */
void wakings_free(struct wakings *wakings);
/* -ENOSPC if there are too many. */
int wakings_watch(struct wakings *wakings, struct waking_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void wakings_unwatch(struct wakings *wakings, const void *arg);
/* The settings are others now: who has lost a right loses what it was for. */
void wakings_settings_changed(struct wakings *wakings);
/* Ends all of them, since the server stops. */
void wakings_end_all(struct wakings *wakings);

/* ---- verbs ------------------------------------------------------------------ */

/*
 * Wakes a machine for its own sake, for whom may reach it by any kind of session at this moment.
 * request: who, and the target as it was typed; a port of 0 is the one that fits. 0; or with a
 * sentence in why, and recorded: as sessions_ask(); -ENODATA its MAC address is not known;
 * -EPROTONOSUPPORT its gateway is too old for that; -EACCES also if the policy says that it is not
 * woken; -EBUSY this person asks too often.
 */
int wakings_wake(struct wakings *wakings, const struct session_request *request,
                 struct waking **ret_waking, struct why *why);
/* What that would say of the right and the means; wakes nothing, and records nothing. */
int wakings_can_wake(const struct wakings *wakings, const struct session_request *request,
                     struct why *why);
/* Who was offered it takes the offer. The same; it stays then. -EALREADY: it was taken before. */
int wakings_take_offer(struct wakings *wakings, struct waking *waking, struct why *why);
/* Who wanted it does not any more. It is gone when this returns. */
void wakings_cancel(struct wakings *wakings, struct waking *waking);

/* ---- looking ---------------------------------------------------------------- */

/* By its id, or NULL. */
struct waking *wakings_find(const struct wakings *wakings, const char *id);
/* What this session has become, or NULL. */
struct waking *wakings_of_session(const struct wakings *wakings, const char *session_id);
/* What has been learnt. */
const struct macs *wakings_macs(const struct wakings *wakings);

#endif
