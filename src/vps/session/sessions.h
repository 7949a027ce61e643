/*
 * sessions: all sessions of a vps-agent: opening, limits, finding, and telling
 * those who watch.
 */
#ifndef PAMTUNNEL_VPS_SESSION_SESSIONS_H
#define PAMTUNNEL_VPS_SESSION_SESSIONS_H

#include "vps/gateways/gateways_discovery.h"
#include "vps/session/lockdown.h"
#include "vps/session/news.h"
#include "vps/session/request.h"
#include "vps/session/session.h"

struct gateways;
struct sessions;

/* Registers a watcher: see news.h. -ENOSPC if there are too many. */
int sessions_watch(struct sessions *sessions, struct session_watcher watcher);
/* The watcher with that arg is told nothing any more. Not from within an event. */
void sessions_unwatch(struct sessions *sessions, const void *arg);

/*
 * Opens a session: it is opening when this returns. Watchers are told in here that it was
 * opened (SESSION_OPENED) or refused (SESSION_REFUSED); all that follows is told from the loop.
 * The policy, if there is one, is asked in here. On failure why is a sentence for the user: -EACCES
 * no rule allows it, -ENOKEY one does with consents that request->given has not, for which see
 * vps/consent (nobody is told), -ENOTCONN no gateway online, -ENOENT no gateway of that name,
 * -EINVAL the target is a gateway or a name of the policy that is not for this, -EDESTADDRREQ
 * several gateways and none named,
 * -EADDRINUSE no port free, -EDQUOT the user's limit, -ENFILE the limit of all, -ESHUTDOWN while
 * draining, -EPERM while it is locked.
 */
int sessions_open(struct sessions *sessions, const struct session_request *request,
                  struct session **ret_session, struct why *why);
/*
 * What that would say now: 0 if it would open. Opens nothing and tells nobody. With 0 and -ENOKEY
 * the request's target is the resolved one, with its gateway, and the rule's terms are filled in.
 */
int sessions_ask(struct sessions *sessions, struct session_request *request, struct why *why);
/*
 * The same of the right alone, whatever room there is for one more: whether this person may reach
 * that machine now. -ENOKEY: yes, with consents.
 */
int sessions_ask_reach(struct sessions *sessions, struct session_request *request, struct why *why);
/* Tells the watchers that it is not opened, -errno, for a reason that only the caller knows. */
void sessions_refuse(struct sessions *sessions, const struct session_request *request, int err,
                     const char *reason);

/*
 * sessions_open() has failed for want of a gateway, and may work in a few seconds: one that
 * serves this target is on its way.
 */
bool sessions_expect_gateway(const struct sessions *sessions, const struct target *target);
/* The names of the gateways that are online, up to `most`. Returns how many there are. */
unsigned sessions_gateways(const struct sessions *sessions, const char *ret_names[], unsigned most);

/* Who is there, and who is away. NULL once the agent stops. */
const struct gateways *sessions_all_gateways(const struct sessions *sessions);

/* As gateways_discover(), but not while the server is locked; it ends with the gateways alone. */
int sessions_discover(struct sessions *sessions, const char *gateway, const struct owner *by,
                      discovery_fn fn, void *arg, struct why *why);

/* Draining: those that are open go on, and no new one is opened. */
void sessions_drain(struct sessions *sessions, bool on);
bool sessions_are_draining(const struct sessions *sessions);

/*
 * Locks the server: ends every session, and opens none until it is unlocked; a restart changes
 * nothing about that. Watchers are told when it is in the state file. *ret_ended: how many there
 * were. False if it is locked already.
 */
bool sessions_lock(struct sessions *sessions, const struct owner *by, unsigned *ret_ended);
/* False if it is not locked. */
bool sessions_unlock(struct sessions *sessions, const struct owner *by);
/* Whether it is, by whom and since when: lockdown_view(). */
const struct lockdown *sessions_lockdown(const struct sessions *sessions);

/* Who each target is, as far as is known. */
const struct pins *sessions_pins(const struct sessions *sessions);
/* May they decide about that doubt? Administrators; without a policy, whose session it was, too. */
bool sessions_may_decide_key(const struct sessions *sessions, const struct pin_doubt *doubt,
                             const struct owner *by);
/*
 * Somebody who may has decided: what the target showed is right from now on, or what was known
 * before stays. Recorded, and told to the watchers. -ENOENT: there is no such doubt any more;
 * -ENOSPC, with a sentence: nothing can be recorded at the moment, so that nothing is taken over.
 */
int sessions_decide_key(struct sessions *sessions, const char *doubt, bool accept,
                        const struct owner *by, struct why *why);
/*
 * What a target shows next is taken for right, whatever the kind. Recorded. Without a gateway's
 * name in the target it is any gateway's. -ENOENT: nothing is known of it.
 */
int sessions_forget_keys(struct sessions *sessions, const struct target *target,
                         const struct owner *by, unsigned *ret_forgotten);

/* By its id, or NULL. */
struct session *sessions_find(struct sessions *sessions, const char *id);
unsigned sessions_count(const struct sessions *sessions);
/* One after the other in the order of opening: NULL to start, NULL at the end. */
struct session *sessions_next(struct sessions *sessions, const struct session *after);

#endif
