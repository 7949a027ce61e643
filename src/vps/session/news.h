/*
 * news: what happens to sessions, told to all who watch. Each event carries what there was to
 * see of the session when it happened. Every watcher hears of every event, in the order in
 * which they happened: what a watcher causes while it is told of something is told when all
 * have heard of that.
 */
#ifndef PAMTUNNEL_VPS_SESSION_NEWS_H
#define PAMTUNNEL_VPS_SESSION_NEWS_H

#include <uv.h>

#include "base/mac.h"
#include "vps/pins/pins.h"
#include "vps/session/request.h"
#include "vps/session/view.h"

struct session;

enum session_event_kind {
    /* ---- without a session ---- */
    SESSION_ASKED,        /* for one, as `request` says; what comes of it follows */
    SESSION_REFUSED,      /* `request` was not opened: `reason`, `err` */
    SESSION_GATEWAY_CAME, /* `gateway` has logged in, perhaps anew */
    SESSION_GATEWAY_WENT, /* `gateway` is offline */
    /* `gateway` says how the waking of `number_on_wire` ended: it is awake, or it `failed`, in its
       words the `reason` */
    SESSION_GATEWAY_WOKE,
    /* `by` has locked the server, which ended `number` sessions; nothing is opened. It is kept in
       the state file, or is not yet for this `reason`. Without `by`: it is locked since that file
       could not be read at the start. */
    SESSION_SERVER_LOCKED,
    SESSION_SERVER_UNLOCKED, /* the same of `by` who has unlocked it */
    SESSION_KEY_DECIDED,     /* `by` has: `word` is "accepted" or "left", of the doubt `doubt` */

    /* ---- of a session ---- */
    SESSION_OPENED,   /* the gateway is asked; from inside sessions_open(): no verbs yet */
    SESSION_CHANGED,  /* its state: `from` and `to` */
    SESSION_PARKED,   /* the owner is to be asked about an unknown client: `number` */
    SESSION_UNPARKED, /* it was admitted (told after ADMITTED) or blocked, or went away: `number` */
    SESSION_ADMITTED, /* its first client is in, from `address`, by `word`; `by` a person, or NULL */
    SESSION_LINKED,   /* `address` may come in: the button of its page was pressed there */
    SESSION_BLOCKED,  /* the party of client `number` at `address` is kept out; `by` a person */
    SESSION_NOTED,    /* its view has another note, or its gateway came or went */
    SESSION_ENDING,   /* it ends in `number` seconds, as `end` says, if nothing changes */
    SESSION_SPARED,   /* it does not: `by` has extended it, or NULL: it is used again */
    SESSION_KNOCKING,    /* there is news of strangers: see struct knocking */
    SESSION_KEY_DOUBTED, /* its target is another one, it seems: pins_doubt() of its id */
    SESSION_MAC_SEEN,    /* its target answers, and has this `mac` */
};

/*
 * Pointers are NULL where the event has no such thing, and valid while it is told: one that is
 * added is added to copy_of() (news.c), too. The session
 * itself may be further on already: session_view() has it as it is now, `view` as it was.
 */
struct session_event {
    enum session_event_kind kind;
    int64_t unix_ms;                 /* when it happened */
    struct session *session;         /* lives on while it is told */
    const struct session_view *view; /* of the session */
    enum session_state from, to;     /* SESSION_CHANGED */
    enum session_end end;            /* SESSION_ENDING */
    unsigned number;                 /* of an unknown client, within its session; or how many */
    const struct addr *address;      /* of a client */
    const struct owner *by;          /* whose word it was */
    const struct session_request *request;
    const char *reason; /* a sentence for a person */
    int err;            /* -errno of sessions_open() */
    const char *gateway;
    char doubt[PIN_DOUBT_ID_MAX + 1];
    const char *word; /* for programs, a constant: "secret", see insider_way_word() */
    uint8_t mac[MAC_SIZE];
    uint64_t number_on_wire;
    unsigned failed; /* enum tunnel_failure; 0: not at all */
};

/*
 * Called from the loop, or from inside the verbs of session.h. A watcher may call those verbs,
 * but not when a session has ended.
 */
struct session_watcher {
    void (*event)(void *arg, const struct session_event *event);
    void *arg;
};

enum { SESSION_WATCHERS_MAX = 8 };

struct news;

/* NULL when out of memory. */
struct news *news_new(void);
/* Accepts NULL. */
void news_free(struct news *news);
/* -ENOSPC if there are too many. */
int news_watch(struct news *news, struct session_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void news_unwatch(struct news *news, const void *arg);
/*
 * Tells all. While something is being told, a copy of the event and of what it points at waits
 * for its turn. Without memory for that it is told out of order, but not lost.
 */
void news_tell(struct news *news, const struct session_event *event);

#endif
