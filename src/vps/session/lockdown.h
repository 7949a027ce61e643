/*
 * lockdown: somebody has locked the server: every session was ended, and none is opened until it
 * is unlocked on the server itself. It is kept in the state file, so that a restart changes
 * nothing about it; where the file could not be read at the start, nobody knows whether somebody
 * had, and the server is locked, too.
 */
#ifndef PAMTUNNEL_VPS_SESSION_LOCKDOWN_H
#define PAMTUNNEL_VPS_SESSION_LOCKDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/why.h"
#include "vps/grant/owner.h"
#include "vps/people/people.h"
#include "vps/session/news.h"
#include "vps/store/store.h"

struct lockdown;

struct lockdown_options {
    struct store *store; /* NULL: a restart unlocks */
    const struct log *log;
    /* SESSION_SERVER_LOCKED and _UNLOCKED, when that is in the state file, or could not be yet. */
    void (*tell)(void *arg, const struct session_event *event);
    void *arg;
};

/* Reads whether it is locked. NULL when out of memory. */
struct lockdown *lockdown_new(const struct lockdown_options *options);
/* Accepts NULL. */
void lockdown_free(struct lockdown *lockdown);

struct lockdown_view {
    bool is_in_doubt; /* whether somebody locked it: `by` says nothing then */
    struct owner by;
    int64_t since_unix;
};
/* False: it is not locked, and ret_view, which may be NULL, is left alone. */
bool lockdown_view(const struct lockdown *lockdown, struct lockdown_view *ret_view);
/* 0, or -EPERM with a sentence for whoever wanted a session: by whom and since when. */
int lockdown_check(const struct lockdown *lockdown, const struct people *people, struct why *why);

/*
 * False if it is so already. ended: how many sessions end by it. What is told comes later, or from
 * inside of these where there is no store.
 */
bool lockdown_begin(struct lockdown *lockdown, const struct owner *by, unsigned ended);
bool lockdown_lift(struct lockdown *lockdown, const struct owner *by);

#endif
