/*
 * sessions: all sessions of a vps-agent: opening, limits, finding, and telling
 * those who watch.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSIONS_H
#define PAMTUNNEL_VPS_SESSION_SESSIONS_H

#include "vps/session/session.h"

struct sessions;

enum session_event {
    SESSION_CHANGED,  /* its state is another one, also SESSION_ENDED: `number` is the state */
    SESSION_PARKED,   /* the owner is to be asked about an unknown client: `number` */
    SESSION_UNPARKED, /* it was admitted or blocked, or went away: `number` */
    SESSION_NOTED,    /* its view has another note, or its gateway came or went */
    SESSION_KNOCKING, /* there is news of strangers: see struct knocking */
};

/*
 * Called from the loop, or from inside the verbs of session.h. A watcher may call
 * those verbs, but not when a session has ended. Every watcher hears of everything
 * in the order in which it happened: what another watcher causes comes afterwards,
 * though session_view() shows it already.
 */
struct session_watcher {
    void (*event)(void *arg, struct session *session, enum session_event event, unsigned number);
    void *arg;
};

enum { SESSION_WATCHERS_MAX = 4 };
/* Registers a watcher. -ENOSPC if there are too many. */
int sessions_watch(struct sessions *sessions, struct session_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void sessions_unwatch(struct sessions *sessions, const void *arg);

struct session_request {
    struct owner owner;
    enum kind kind;
    struct target target;
};

/*
 * Opens a session: it is opening when this returns, and what comes of it is told
 * to the watchers, never from inside this call. On failure why is a sentence for
 * the user: -ENOTCONN no gateway online, -ENOENT no gateway of that name,
 * -EINVAL the target is a gateway, -EDESTADDRREQ several gateways and none named, -EADDRINUSE no port free,
 * -EDQUOT the user's limit, -ENFILE the limit of all, -ESHUTDOWN while draining.
 */
int sessions_open(struct sessions *sessions, const struct session_request *request,
                  struct session **ret_session, struct why *why);

/*
 * sessions_open() has failed for want of a gateway, and may work in a few seconds: one that
 * serves this target is on its way.
 */
bool sessions_expect_gateway(const struct sessions *sessions, const struct target *target);
/* The names of the gateways that are online, up to `most`. Returns how many there are. */
unsigned sessions_gateways(const struct sessions *sessions, const char *ret_names[], unsigned most);

/* Draining: those that are open go on, and no new one is opened. */
void sessions_drain(struct sessions *sessions, bool on);
bool sessions_are_draining(const struct sessions *sessions);

/* By its id, or NULL. */
struct session *sessions_find(struct sessions *sessions, const char *id);
unsigned sessions_count(const struct sessions *sessions);
/* One after the other in the order of opening: NULL to start, NULL at the end. */
struct session *sessions_next(struct sessions *sessions, const struct session *after);

#endif
