/*
 * life: the states of a session, how long each of them may last, and how it ended. The session's
 * own files (session.c, session_*.c) say which state comes next; here is whether it may, and the
 * one timer.
 */
#ifndef PAMTUNNEL_VPS_SESSION_LIFE_H
#define PAMTUNNEL_VPS_SESSION_LIFE_H

#include "base/why.h"
#include "vps/session/connections.h"
#include "vps/session/front.h"
#include "vps/session/terms.h"

struct life;

struct life_events {
    void (*changed)(void *arg, enum session_state from, enum session_state to);
    /* The time is over, of the state or of the session: it is to end like this. */
    void (*due)(void *arg, enum session_end end);
    /* It is about to end like this, in so many seconds, if nothing changes. Once. */
    void (*ending)(void *arg, enum session_end end, unsigned seconds);
    /* That was said, and is not so any more: bytes flow again. */
    void (*spared)(void *arg);
    /* There is no connection, and no last words of the gateway came: life_await_words(). */
    void (*silent)(void *arg);
};

/*
 * SESSION_OPENING; its clock starts with life_start(). front and connections are looked at for
 * idleness and limits, and outlive it, as events do. NULL when out of memory.
 */
struct life *life_new(const struct terms *terms, const struct front *front,
                      const struct connections *connections, const struct life_events *events,
                      void *arg);
/* Accepts NULL. */
void life_free(struct life *life);
void life_start(struct life *life);

enum session_state life_state(const struct life *life);
/* Checks the transition, logs it, starts the state's clock, and reports it. */
void life_set(struct life *life, enum session_state state);
/* How it is about to end; SESSION_ENDED comes next. why may be NULL. Both are kept. */
void life_set_end(struct life *life, enum session_end end, const struct why *why);
/* The same: what its gateway has said of the target, of enum tunnel_failure. */
void life_set_failed(struct life *life, uint8_t failed);
/* At whose word it is about to end. */
void life_set_ended_by(struct life *life, const struct owner *by);
/* NULL: nobody's. */
const struct owner *life_ended_by(const struct life *life);
/* The reason of what is about to end travels beside the RST that ended it: waits a moment. */
void life_await_words(struct life *life);
/* Somebody came: the session is not idle. */
void life_touch(struct life *life);

/*
 * Idle time begins anew, and so does the longest time if no rule has fixed it. False if there is
 * nothing to extend: it is not connected, or has no such limits.
 */
bool life_extend(struct life *life);

/* How it ended, as session_end_text() says. */
void life_end_text(const struct life *life, struct text *text);
void life_view(const struct life *life, struct session_view *view);

#endif
